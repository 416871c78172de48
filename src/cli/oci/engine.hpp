// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "base/error.hpp"
#include "cli/verbs.hpp"
#include "container/record_store.hpp"

/// The verbs of `sctr-oci`, the command line that engines speak (conmon, containerd, CRI-O), as
/// runc has defined it. Every function takes the words after the verb and returns the exit status;
/// they throw Error, and HelpText for --help.
namespace sctr::cli::engine {

/// The flags before the verb.
struct Globals {
    std::string root; ///< where the records are
    std::string log;  ///< a file for messages; empty: stderr alone
    bool json_log = false;
    bool debug = false;
    bool has_scopes = true; ///< false: new containers stay in the caller's cgroup
};

int create_verb(const Globals& globals, const Words& words);
int start_verb(const Globals& globals, const Words& words);
int run_verb(const Globals& globals, const Words& words);
int exec_verb(const Globals& globals, const Words& words);
int kill_verb(const Globals& globals, const Words& words);
int delete_verb(const Globals& globals, const Words& words);
int pause_verb(const Globals& globals, const Words& words);
int resume_verb(const Globals& globals, const Words& words);
int state_verb(const Globals& globals, const Words& words);
int list_verb(const Globals& globals, const Words& words);
int ps_verb(const Globals& globals, const Words& words);
int update_verb(const Globals& globals, const Words& words);
int events_verb(const Globals& globals, const Words& words);
int checkpoint_verb(const Globals& globals, const Words& words);
int restore_verb(const Globals& globals, const Words& words);
int features_verb(const Globals& globals, const Words& words);
int spec_verb(const Globals& globals, const Words& words);

/// The only name among `words`. Throws Error.
std::string only_id(const Words& words, const char* verb);

/// Says on stderr what failed without being a failure of the verb.
void print_warning(const Error& error);

/// The record store of these flags.
container::RecordStore store_of(const Globals& globals);

} // namespace sctr::cli::engine
