/* Where `reqprof recover` finds live files, and how it writes a profile into the output directory. */
#ifndef REQPROF_TOOLS_CMD_RECOVER_FILES_H
#define REQPROF_TOOLS_CMD_RECOVER_FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "format/live_read.h"
#include "tools/cmd/recover_profile.h"

/* A live file, opened. */
struct recover_file {
	int fd;
	char *path;
	uid_t uid;
	gid_t gid;
	struct live_head head; /* zero when it cannot be read */
};

/* The output directory. */
struct recover_directory {
	const char *path;
	int fd;
	dev_t device;
	ino_t inode;
	uid_t uid;
	char *absolute;
};

/* 0, or -1 after saying what is wrong. */
int recover_open_directory(struct recover_directory *d, const char *path);
void recover_close_directory(struct recover_directory *d);

/*
 * The next live file of `place` that is this user's, or that root may take for the directory's
 * owner. False at the end. Ends with recover_list_end.
 */
struct recover_list {
	const char *place;
	void *dir;
};
int recover_list_start(struct recover_list *list, const char *place);
bool recover_list_next(struct recover_list *list, const struct recover_directory *d,
		       struct recover_file *file);
void recover_list_end(struct recover_list *list);
void recover_file_close(struct recover_file *file);

/* For live_read. */
struct live_source recover_source(const struct recover_file *file);

/* Does it belong to this directory? */
bool recover_is_of(const struct recover_file *file, const struct recover_directory *d);
/* Whose process: dead, or alive, or one of another pid namespace, where nobody here can tell. */
enum recover_state { RECOVER_DEAD, RECOVER_ALIVE, RECOVER_ELSEWHERE };
enum recover_state recover_state_of(const struct recover_file *file);

/* Is the profile with this counter of the process there, written before it was killed? */
bool recover_has_profile(const struct recover_directory *d, const struct live_head *head,
			 const struct recover_request *r);

/* Writes it; *name is its name, to be freed. 0, or an errno; EEXIST: it is there already. */
int recover_write(const struct recover_directory *d, const struct recover_file *file,
		  const struct recover_request *r, char **name);

#endif
