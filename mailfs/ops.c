/* The requests of the kernel. */
#include "fs.h"

#include "store/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { XATTR_SIZE = 65536 };

static struct fs *
fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static void
reply_error(fuse_req_t req)
{
	fuse_reply_err(req, errno ? errno : EIO);
}

/* The node; false: answered with an error. */
static bool
node_of(fuse_req_t req, fuse_ino_t ino, struct node *n)
{
	struct fs *fs = fs_of(req);

	errno = ESTALE;
	if (node_get(&fs->nodes, ino, n) == 0 &&
	    (n->kind != NODE_FOLDER ||
		tree_by_key(&fs->tree, n->id, &n->folder) == 1))
		return true;
	reply_error(req);
	return false;
}

static void
op_init(void *userdata, struct fuse_conn_info *c)
{
	/* Splicing costs more than it saves below 64 KiB (and calls that the
	 * jail does not have). */
	c->want &=
	    ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
			FUSE_CAP_SPLICE_MOVE | FUSE_CAP_READDIRPLUS_AUTO);
	c->want |=
	    c->capable & (FUSE_CAP_READDIRPLUS | FUSE_CAP_PARALLEL_DIROPS |
			     FUSE_CAP_ASYNC_READ);
}

static void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param e = { 0 };
	struct node dir, n;
	bool listed;
	int r;

	if (!node_of(req, parent, &dir))
		return;
	errno = 0;
	r = lookup_name(fs, &dir, span_str(name), &n, &listed);
	if (r == 0)
		errno = ENOENT;
	if (r != 1 || attr_get(fs, &n, &e.attr) == -1) {
		reply_error(req);
		return;
	}
	e.ino = node_id(&fs->nodes, &n);
	if (e.ino == 0) {
		fuse_reply_err(req, ENFILE);
		return;
	}
	e.attr_timeout = attr_keep(fs, &n);
	e.entry_timeout = listed ? e.attr_timeout : FS_SHORT_S;
	if (fuse_reply_entry(req, &e) != 0)
		node_forget(&fs->nodes, e.ino, 1);
}

static void
op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	node_forget(&fs_of(req)->nodes, ino, lookups);
	fuse_reply_none(req);
}

static void
op_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *all)
{
	for (size_t i = 0; i < n; i++)
		node_forget(&fs_of(req)->nodes, all[i].ino, all[i].nlookup);
	fuse_reply_none(req);
}

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct node n;
	struct stat st;

	if (!node_of(req, ino, &n))
		return;
	if (attr_get(fs, &n, &st) == -1)
		reply_error(req);
	else
		fuse_reply_attr(req, &st, attr_keep(fs, &n));
}

static struct open_file *
free_file(struct fs *fs)
{
	for (size_t i = 0; i < FS_OPEN; i++)
		if (!fs->files[i].used)
			return &fs->files[i];
	errno = ENFILE;
	return NULL;
}

static int
open_stored(struct fs *fs, const struct node *n)
{
	struct where w;
	uint64_t size;

	if (tree_find(&fs->tree, n->id, &w) == 1)
		return mailbox_read(
		    tree_folder(&fs->tree, w.folder)->box, w.i, &size);
	errno = ENOENT;
	return -1;
}

static int
open_content(struct fs *fs, const struct node *n, struct open_file *f)
{
	struct content *c = content_get(fs, n);

	if (c == NULL)
		return -1;
	if (c->pins == 0 && fs->pinned + c->bytes.n > FS_PINNED) {
		errno = ENFILE;
		return -1;
	}
	if (c->pins++ == 0)
		fs->pinned += c->bytes.n;
	f->content = c;
	return 0;
}

/* An open file goes on to be there when the message does not. */
static int
open_node(struct fs *fs, const struct node *n, struct open_file *f)
{
	*f = (struct open_file){ .fd = -1 };
	if (n->kind == NODE_EML) {
		f->fd = open_stored(fs, n);
		if (f->fd == -1)
			return -1;
	} else if (n->kind != NODE_README && n->kind != NODE_FACT) {
		if (open_content(fs, n, f) == -1)
			return -1;
	}
	f->used = true;
	return 0;
}

static void
op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct open_file *f;
	struct node n;

	if (!node_of(req, ino, &n))
		return;
	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EROFS);
		return;
	}
	f = free_file(fs);
	if (f == NULL || open_node(fs, &n, f) == -1) {
		reply_error(req);
		return;
	}
	/* Facts change and have the size of their moment. */
	fi->direct_io = n.kind == NODE_FACT;
	fi->keep_cache = n.kind != NODE_FACT;
	fi->noflush = 1;
	f->node = ino;
	fi->fh =
	    (uint64_t)fs->shared->generation << 32 | (uint64_t)(f - fs->files);
	fuse_reply_open(req, fi);
}

/* NULL: the file was opened in a daemon before this one. */
static struct open_file *
file_of(struct fs *fs, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	struct open_file *f = &fs->files[(fi->fh & UINT32_MAX) % FS_OPEN];

	if (fi->fh >> 32 != fs->shared->generation)
		return NULL;
	return f->used && f->node == ino ? f : NULL;
}

static void
op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct open_file *f = file_of(fs, ino, fi);

	if (f && f->fd != -1)
		close(f->fd);
	if (f && f->content)
		content_unpin(fs, f->content);
	if (f)
		*f = (struct open_file){ .fd = -1 };
	fuse_reply_err(req, 0);
}

static void
reply_part(fuse_req_t req, struct span all, size_t size, off_t at)
{
	struct span s = span_head(span_skip(all, (size_t)at), size);

	fuse_reply_buf(req, s.p, s.n);
}

static void
read_stored(fuse_req_t req, int fd, size_t size, off_t at)
{
	struct buf bytes = buf_new(1 << 21);
	char *p = buf_room(&bytes, size);
	ssize_t n = p ? pread(fd, p, size, at) : -1;

	if (n == -1)
		reply_error(req);
	else
		fuse_reply_buf(req, p, (size_t)n);
	buf_free(&bytes);
}

static void
read_fact(fuse_req_t req, const struct node *n, size_t size, off_t at)
{
	struct fs *fs = fs_of(req);
	struct buf text = buf_new(65536);
	struct where w;

	errno = ENOENT;
	if (tree_find(&fs->tree, n->id, &w) == 0 ||
	    fact_add(fs, &w, (enum fact)n->file, &text) == -1 ||
	    buf_add_byte(&text, '\n') == -1)
		reply_error(req);
	else
		reply_part(req, buf_span(&text), size, at);
	buf_free(&text);
}

/* Without a handle of ours: opened in the daemon before this one. */
static void
read_again(fuse_req_t req, const struct node *n, size_t size, off_t at)
{
	struct fs *fs = fs_of(req);
	struct content *c;
	int fd;

	if (n->kind == NODE_EML) {
		fd = open_stored(fs, n);
		if (fd == -1) {
			reply_error(req);
			return;
		}
		read_stored(req, fd, size, at);
		close(fd);
		return;
	}
	c = content_get(fs, n);
	if (c == NULL)
		reply_error(req);
	else
		reply_part(req, buf_span(&c->bytes), size, at);
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
    struct fuse_file_info *fi)
{
	struct open_file *f = file_of(fs_of(req), ino, fi);
	struct node n;

	if (at < 0) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	if (f && f->fd != -1) {
		read_stored(req, f->fd, size, at);
		return;
	}
	if (f && f->content) {
		reply_part(req, buf_span(&f->content->bytes), size, at);
		return;
	}
	if (!node_of(req, ino, &n))
		return;
	if (n.kind == NODE_README)
		reply_part(req, readme_text(), size, at);
	else if (n.kind == NODE_FACT)
		read_fact(req, &n, size, at);
	else
		read_again(req, &n, size, at);
}

static void
op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_open(req, fi);
}

static void
read_folder(fuse_req_t req, fuse_ino_t ino, size_t size, off_t from, bool plus)
{
	struct node n;

	errno = 0;
	if (node_of(req, ino, &n))
		list_folder(fs_of(req), req, &n, size, from, plus);
}

static void
op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t from,
    struct fuse_file_info *fi)
{
	read_folder(req, ino, size, from, false);
}

static void
op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t from,
    struct fuse_file_info *fi)
{
	read_folder(req, ino, size, from, true);
}

static void
op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs s;
	struct quota_usage u;

	if (fstatvfs(fs_of(req)->tree.account.dir, &s) == -1) {
		reply_error(req);
		return;
	}
	if (quota_read(&fs_of(req)->tree.account, &u) == 1 &&
	    u.limits.bytes > 0) {
		uint64_t left = u.limits.bytes > u.bytes
				    ? u.limits.bytes - u.bytes
				    : 0;

		s.f_blocks = u.limits.bytes / s.f_frsize;
		s.f_bfree = left / s.f_frsize;
		if (s.f_bavail > s.f_bfree)
			s.f_bavail = s.f_bfree;
	}
	s.f_namemax = 255;
	s.f_flag |= ST_RDONLY;
	fuse_reply_statfs(req, &s);
}

/* The kernel asks for the size first, then for the bytes. */
static void
reply_xattr(fuse_req_t req, int r, const struct buf *value, size_t size)
{
	if (r == -1)
		reply_error(req);
	else if (size == 0)
		fuse_reply_xattr(req, value->n);
	else if (value->n > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value->p, value->n);
}

static void
op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct buf value = buf_new(XATTR_SIZE);
	struct node n;

	if (!node_of(req, ino, &n))
		return;
	reply_xattr(req, xattr_get(fs_of(req), &n, span_str(name), &value),
	    &value, size);
	buf_free(&value);
}

static void
op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct buf names = buf_new(XATTR_SIZE);
	struct node n;

	if (!node_of(req, ino, &n))
		return;
	reply_xattr(req, xattr_list(&n, &names), &names, size);
	buf_free(&names);
}

/* The mount is read only, so the kernel refuses to write before it asks;
 * these answer where it was mounted again without that. */
static void
op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, EROFS);
}

static void
op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	fuse_reply_err(req, EROFS);
}

static void
op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *fi)
{
	fuse_reply_err(req, EROFS);
}

static void
op_rename(fuse_req_t req, fuse_ino_t from, const char *name, fuse_ino_t to,
    const char *newname, unsigned flags)
{
	fuse_reply_err(req, EROFS);
}

static void
op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int what,
    struct fuse_file_info *fi)
{
	fuse_reply_err(req, EROFS);
}

static void
op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
    size_t size, int flags)
{
	fuse_reply_err(req, EROFS);
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_unlink,
	.rename = op_rename,
	.create = op_create,
	.open = op_open,
	.read = op_read,
	.release = op_release,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
};

const struct fuse_lowlevel_ops *
ops_table(void)
{
	return &ops;
}
