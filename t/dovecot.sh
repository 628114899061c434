# Sourced by tests beside the real Dovecot, which never runs as root, nor does
# our mail belong to it.
#
# $me, $group, as CMD...   who owns the mail; runs as them
# $md                      the Maildir, to be made
me=$(id -un) group=$(id -gn)
as() { "$@"; }
if [ "$(id -u)" -eq 0 ]; then
	need setpriv
	me=nobody group=$(id -gn nobody)
	as() {
		setpriv --reuid "$me" --regid "$group" --clear-groups \
		    env USER="$me" HOME="$tmp" "$@"
	}
	chmod 755 "$tmp"
	chown "$me" "$tmp"
fi
md=$tmp/Maildir

# dovecot_conf PROTOCOLS LOCATION: what every dovecot.conf here begins with.
dovecot_conf() {
	cat <<-END
		base_dir = $tmp/run
		state_dir = $tmp/state
		log_path = $tmp/dovecot.log
		mail_location = $2
		default_internal_user = $me
		default_login_user = $me
		mail_uid = $me
		mail_gid = $group
		first_valid_uid = 0
		first_valid_gid = 0
		mail_fsync = never
		ssl = no
		protocols = $1
	END
}
