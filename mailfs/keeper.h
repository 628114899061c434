/*
 * The keeper of a mount: holds the connection to the kernel, starts the
 * daemon that answers, tells the kernel what to forget, starts another daemon
 * when one dies, and unmounts at the end.
 *
 * It looks at no mail and parses nothing but fixed records.  It has to be a
 * process of its own: the kernel may make whoever sends a notice wait until
 * a request was answered, and a daemon that died on a message cannot mend
 * itself.  A message that killed or occupied a daemon is shown plainly from
 * then on; who asked for it the first time gets EIO.
 */
#ifndef POSTERN_MAILFS_KEEPER_H
#define POSTERN_MAILFS_KEEPER_H

#include "fs.h"

struct keeper {
	struct fs *fs;                    /* each daemon has its copy */
	const char *maildir, *mountpoint; /* absolute */
	bool by_root;                     /* mounted by mount(2), for fs->uid */
};

/* Runs until the file system is unmounted or a signal ends it: an exit
 * code. */
int keeper_run(const struct keeper *k);

/* Takes the mount away, at once or when its last file is closed. */
void keeper_unmount(const struct keeper *k);

#endif
