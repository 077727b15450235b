// What the files of this target share about spawning. Everything here runs between fork and exec,
// or in a child that never executes another program, so it makes async-signal-safe calls only.
#ifndef MILLRACE_SPAWN_H
#define MILLRACE_SPAWN_H

#include "CLinux.h"

/// Turns a forked child into the program of the options. Does not return: a failure is written to
/// `status` as an errno. `parent` is the process that forked, and `leads_group` says whether the
/// program leads a process group of its own.
_Noreturn void millrace_become(
    const struct millrace_spawn_options *o, pid_t parent, int leads_group, int status);

/// Turns a forked child into the keeper of a program and of all its descendants, and starts the
/// program. Does not return.
_Noreturn void millrace_keep(const struct millrace_spawn_options *o, pid_t parent, int status);

#endif
