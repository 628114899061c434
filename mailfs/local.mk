# mailfs
bin_PROGRAMS += mailfs/postern-mailfs
mailfs_postern_mailfs_SOURCES = %D%/attr.c %D%/content.c %D%/fact.c \
	%D%/fs.h %D%/ids.c %D%/ids.h %D%/keeper.c %D%/keeper.h %D%/list.c \
	%D%/lookup.c %D%/loop.c %D%/main.c %D%/names.c %D%/names.h \
	%D%/node.c %D%/node.h %D%/notice.c %D%/ops.c %D%/readme.c \
	%D%/tree.c %D%/tree.h %D%/show.c %D%/show.h %D%/xattr.c
mailfs_postern_mailfs_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE_CFLAGS)
mailfs_postern_mailfs_LDADD = lib/libpostern.a $(FUSE_LIBS)
dist_man_MANS += %D%/postern-mailfs.1
TESTS += t/mailfs.t t/mailfs-cache.t
EXTRA_DIST += t/mailfs.t t/mailfs-cache.t

check_PROGRAMS += t/fuzz/names
t_fuzz_names_SOURCES = t/fuzz/names.c t/fuzz/driver.c %D%/names.c
t_fuzz_names_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/mailfs
EXTRA_DIST += t/fuzz/seeds/names/harm t/fuzz/seeds/names/scripts \
	t/fuzz/seeds/names/attachment t/fuzz/seeds/names/bytes

check_PROGRAMS += t/fuzz/show
t_fuzz_show_SOURCES = t/fuzz/show.c t/fuzz/driver.c %D%/show.c
t_fuzz_show_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/mailfs
