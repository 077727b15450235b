# Two commands matter: `make run` and `make test`. Both install what is missing first.
SWIFT ?= swift

.PHONY: help run build test test-fast lint fuzz bootstrap clean

help:
	@echo "make run    install what is missing, build, run the quickstart scenario, show the report"
	@echo "make test   install what is missing, build and run every test"
	@echo "make test-fast   the pure tests alone: no sockets, no other programs"
	@echo "make lint   format and warnings, as CI has them"
	@echo "make fuzz   every fuzz target for a minute"

bootstrap:
	@scripts/bootstrap

build: bootstrap
	$(SWIFT) build -c release --product millrace

run: build
	.build/release/millrace run scenarios/quickstart.yml

test: bootstrap
	$(SWIFT) build --build-tests
	# One at a time: many tests run real servers in real time, and 2 cores carry one of those.
	SWIFT="$(SWIFT)" scripts/test

test-fast: bootstrap
	$(SWIFT) build --build-tests
	@SWIFT="$(SWIFT)" scripts/test-fast

lint:
	@scripts/lint

fuzz: bootstrap
	scripts/fuzz 60

clean:
	rm -rf .build .build-*
