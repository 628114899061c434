/*
 * postern-mailfs: mounts a Maildir as folders of readable files.
 *
 * Reads the Maildir (and gives UIDs to messages that have none); changes no
 * message.  Started by its owner, by hand or from fstab, or by root, and then
 * the mail is looked at as the owner of the Maildir.  Leaves two processes
 * behind: see keeper.h.  Exits with 0 after unmounting, 100 on wrong usage,
 * 111 where it cannot be mounted.
 */
#include "keeper.h"

#include "base/conf.h"
#include "base/err.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

struct options {
	const char *root;
	bool foreground, others;
	enum tree_kind listed;
	char maildir[PATH_MAX], mountpoint[PATH_MAX];
	struct stat owner; /* of the Maildir */
};

_Noreturn static void
usage(void)
{
	err_die(EXIT_NEVER, "usage: postern-mailfs [-f] [-r root] "
			    "[-o option,...] MAILDIR MOUNTPOINT");
}

/* What fstab and mount(8) say of every file system; ours is always read
 * only, nosuid, nodev, noexec and noatime. */
static const char *const generic[] = { "ro", "nosuid", "nodev", "noexec",
	"noatime", "defaults", "auto", "noauto", "user", "nofail", "_netdev" };

static void
take_option(struct options *o, struct span name)
{
	if (span_is(name, "view=text")) {
		o->listed = TREE_TEXT;
		return;
	}
	if (span_is(name, "view=eml")) {
		o->listed = TREE_EML;
		return;
	}
	if (span_is(name, "allow_other")) {
		o->others = true;
		return;
	}
	if (span_starts(name, "x-") || name.n == 0)
		return;
	for (size_t i = 0; i < sizeof generic / sizeof *generic; i++)
		if (span_is(name, generic[i]))
			return;
	err_die(EXIT_NEVER, "no such option: %.*s",
	    (int)(name.n < 80 ? name.n : 80), name.p);
}

static void
take_options(struct options *o, struct span list)
{
	while (list.n > 0)
		take_option(o, span_take(&list, ','));
}

/* A mount whose daemon is gone answers nobody: it is taken away. */
static void
clear_mountpoint(const char *path)
{
	const char *const argv[] = { "fusermount3", "-u", "-q", "-z", "--",
		path, NULL };
	const char *const envp[] = { NULL };
	struct proc p = {
		.path = "/usr/bin/fusermount3", .argv = argv, .envp = envp
	};
	struct stat st;
	pid_t pid;

	if (stat(path, &st) == 0 || errno != ENOTCONN)
		return;
	if (geteuid() == 0) {
		(void)umount2(path, MNT_DETACH); /* mounting will tell */
		return;
	}
	pid = proc_spawn(&p);
	if (pid != -1)
		(void)proc_wait(pid); /* mounting will tell */
}

static void
parse(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "fo:r:")) != -1)
		switch (c) {
		case 'f':
			o->foreground = true;
			break;
		case 'o':
			take_options(o, span_str(optarg));
			break;
		case 'r':
			o->root = optarg;
			break;
		default:
			usage();
		}
	if (argc - optind != 2)
		usage();
	if (realpath(argv[optind], o->maildir) == NULL)
		err_die_sys(EXIT_LATER, "%s", argv[optind]);
	clear_mountpoint(argv[optind + 1]);
	if (realpath(argv[optind + 1], o->mountpoint) == NULL)
		err_die_sys(EXIT_LATER, "%s", argv[optind + 1]);
}

/* Who the daemon will be: the owner, and nobody that is not a user. */
static void
check_owner(struct options *o)
{
	struct conf conf;
	char error[CONF_ERROR];
	struct account a;

	if (stat(o->maildir, &o->owner) == -1 ||
	    account_open(&a, o->maildir, false) == -1)
		err_die_sys(EXIT_LATER, "%s", o->maildir);
	close(a.dir);
	if (geteuid() != 0 && geteuid() != o->owner.st_uid)
		err_die(EXIT_NEVER, "%s is not yours", o->maildir);
	if (geteuid() != 0 || o->owner.st_uid == 0)
		return;
	if (conf_load(&conf, o->root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
	if (o->owner.st_uid < conf.uid_min)
		err_die(EXIT_NEVER, "%s belongs to a uid below uid_min",
		    o->maildir);
	arena_free(&conf.arena);
}

/*
 * fusermount3 mounts for a user.  Root mounts for somebody else: only that
 * uid may then enter, and not even root, unless others are allowed; then
 * owner and modes decide, which the kernel compares.
 */
static int
mount_it(const struct options *o, struct fuse_session *session)
{
	char text[128], self[32];
	int fd;

	if (geteuid() != 0)
		return fuse_session_mount(session, o->mountpoint);
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return -1;
	snprintf(text, sizeof text,
	    "fd=%d,rootmode=40000,user_id=%lu,group_id=%lu,"
	    "default_permissions%s",
	    fd, (unsigned long)o->owner.st_uid, (unsigned long)o->owner.st_gid,
	    o->others ? ",allow_other" : "");
	if (mount("postern-mailfs", o->mountpoint, "fuse.postern-mailfs",
		MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
		text) == -1)
		return -1;
	snprintf(self, sizeof self, "/dev/fd/%d", fd);
	return fuse_session_mount(session, self);
}

static struct fuse_session *
new_session(const struct options *o, struct fs *fs)
{
	char name[] = "postern-mailfs", flag[] = "-o";
	char own[] = "ro,nosuid,nodev,noexec,noatime,default_permissions,"
		     "fsname=postern-mailfs,subtype=postern-mailfs";
	char others[] = "ro,nosuid,nodev,noexec,noatime,default_permissions,"
			"fsname=postern-mailfs,subtype=postern-mailfs,"
			"allow_other";
	char *argv[] = { name, flag, o->others ? others : own, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);

	return fuse_session_new(
	    &args, ops_table(), sizeof(struct fuse_lowlevel_ops), fs);
}

/* The first request settles how the two will talk; all daemons inherit it. */
static int
greet(struct fuse_session *session)
{
	struct fuse_buf b = { 0 };
	int n;

	do
		n = fuse_session_receive_buf(session, &b);
	while (n == -EINTR);
	if (n > 0)
		fuse_session_process_buf(session, &b);
	free(b.mem);
	return n > 0 ? 0 : -1;
}

static void
start_fs(const struct options *o, struct fs *fs)
{
	memset(fs, 0, sizeof *fs);
	fs->uid = o->owner.st_uid;
	fs->gid = o->owner.st_gid;
	fs->listed = o->listed;
	fs->started = time(NULL);
	/* With one processor the asker could not run meanwhile. */
	fs->spins = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	fs->session = new_session(o, fs);
	if (fs->session == NULL)
		err_die(EXIT_LATER, "fuse session");
}

int
main(int argc, char **argv)
{
	struct options o = { .listed = TREE_TEXT };
	struct buf memory = buf_new(sizeof(struct fs) + 1);
	struct fs *fs =
	    (struct fs *)(void *)buf_room(&memory, sizeof(struct fs));
	struct keeper k = { .fs = fs,
		.maildir = o.maildir,
		.mountpoint = o.mountpoint,
		.by_root = geteuid() == 0 };

	err_program("postern-mailfs");
	parse(&o, argc, argv);
	check_owner(&o);
	start_fs(&o, fs);
	if (mount_it(&o, fs->session) == -1)
		err_die_sys(EXIT_LATER, "mount %s", o.mountpoint);
	if (greet(fs->session) == -1 || fuse_daemonize(o.foreground) == -1) {
		keeper_unmount(&k);
		err_die(EXIT_LATER, "start");
	}
	return keeper_run(&k);
}
