/*
 * The subcommands: argv[0] is the command's own name. Each returns an exit status
 * (tools/base/errors.h).
 */
#ifndef REQPROF_TOOLS_CMD_CMD_H
#define REQPROF_TOOLS_CMD_CMD_H

int cmd_run(int argc, char **argv);
int cmd_ctl(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_recover(int argc, char **argv);
int cmd_export(int argc, char **argv);

#endif
