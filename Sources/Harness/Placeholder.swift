// Placeholder until the first file of Harness lands.
