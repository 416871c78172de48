// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

/// The verbs of `sctr`, one file each. Every function takes the words after the verb, builds its
/// own flags (so that a start does not pay for the flags of others), and returns the exit status.
/// They throw Error, and HelpText for --help.
namespace sctr::cli {

using Words = std::vector<std::string>;

int run_verb(const Words& words);
int exec_verb(const Words& words);
int ps_verb(const Words& words);
int stats_verb(const Words& words);
int top_verb(const Words& words);
int kill_verb(const Words& words);
int stop_verb(const Words& words);
int pause_verb(const Words& words);
int unpause_verb(const Words& words);
int inspect_verb(const Words& words);
int rm_verb(const Words& words);
int logs_verb(const Words& words);
int events_verb(const Words& words);
int create_verb(const Words& words);
int start_verb(const Words& words);
int restart_verb(const Words& words);
int enable_verb(const Words& words);
int disable_verb(const Words& words);
int rename_verb(const Words& words);
int healthcheck_verb(const Words& words);
int wait_verb(const Words& words);
int update_verb(const Words& words);
int attach_verb(const Words& words);
int supervise_verb(const Words& words);
int generate_verb(const Words& words);
int pull_verb(const Words& words);
int push_verb(const Words& words);
int images_verb(const Words& words);
int image_verb(const Words& words);
int tag_verb(const Words& words);
int rmi_verb(const Words& words);
int load_verb(const Words& words);
int save_verb(const Words& words);
int import_verb(const Words& words);
int build_verb(const Words& words);
int commit_verb(const Words& words);
int cp_verb(const Words& words);
int network_verb(const Words& words);
int port_verb(const Words& words);
int volume_verb(const Words& words);
int secret_verb(const Words& words);
int diff_verb(const Words& words);
int export_verb(const Words& words);
int system_verb(const Words& words);
int doctor_verb(const Words& words);

} // namespace sctr::cli
