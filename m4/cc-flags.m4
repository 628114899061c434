# POSTERN_CFLAG(VARIABLE, FLAG): add FLAG to VARIABLE if the compiler takes it.
AC_DEFUN([POSTERN_CFLAG], [
	AS_VAR_PUSHDEF([have], [postern_cv_cflag_$2])
	AC_CACHE_CHECK([whether $CC takes $2], [have], [
		postern_save=$CFLAGS
		CFLAGS="$CFLAGS -Werror $2"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([have], [yes])],
			[AS_VAR_SET([have], [no])])
		CFLAGS=$postern_save])
	AS_VAR_IF([have], [yes], [$1="$$1 $2"])
	AS_VAR_POPDEF([have])
])

# POSTERN_LDFLAG(VARIABLE, FLAG): add FLAG to VARIABLE if the linker takes it.
AC_DEFUN([POSTERN_LDFLAG], [
	AS_VAR_PUSHDEF([have], m4_quote([postern_cv_ldflag_]m4_bpatsubst([$2], [[^a-zA-Z0-9]], [_])))
	AC_CACHE_CHECK([whether $CC links with $2], [have], [
		postern_save=$LDFLAGS
		LDFLAGS="$LDFLAGS -Werror $2"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([have], [yes])],
			[AS_VAR_SET([have], [no])])
		LDFLAGS=$postern_save])
	AS_VAR_IF([have], [yes], [$1="$$1 $2"])
	AS_VAR_POPDEF([have])
])
