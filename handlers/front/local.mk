# handlers/front, and the two programs that talk before a login
pkglibexec_PROGRAMS += handlers/front/front handlers/front/porter \
	handlers/front/checkpw \
	handlers/front/signer \
	handlers/imap/imap-login handlers/pop3/pop3-login
handlers_front_front_SOURCES = %D%/front.c %D%/front.h %D%/planner.c \
	%D%/start.h
handlers_front_porter_SOURCES = %D%/porter.c %D%/porter.h %D%/start.h \
	%D%/ask.c %D%/check.c %D%/listen.c %D%/lost.c %D%/nursery.c %D%/peer.c \
	%D%/plan.c %D%/proxy.c %D%/request.c %D%/seats.c %D%/serve.c %D%/session.c \
	%D%/sit.c
handlers_front_checkpw_SOURCES = %D%/checkpw.c %D%/classic.c %D%/classic.h
handlers_front_checkpw_LDADD = lib/libpostern.a $(GNUTLS_LIBS) \
	$(CDB_LIBS) $(CRYPT_LIBS)
handlers_imap_imap_login_SOURCES = handlers/imap/imap-login.c
handlers_imap_imap_login_LDADD = lib/libpostern.a $(GNUTLS_LIBS)
handlers_pop3_pop3_login_SOURCES = handlers/pop3/pop3-login.c
handlers_pop3_pop3_login_LDADD = lib/libpostern.a $(GNUTLS_LIBS)
handlers_front_signer_SOURCES = %D%/signer.c
handlers_front_signer_LDADD = lib/libpostern.a $(GNUTLS_LIBS)
dist_man_MANS += %D%/front.8 %D%/porter.8 %D%/checkpw.8 %D%/signer.8 \
	handlers/imap/imap-login.8 handlers/pop3/pop3-login.8
front_units = %D%/postern@.service \
	%D%/postern-imap.socket %D%/postern-imaps.socket \
	%D%/postern-pop3.socket %D%/postern-pop3s.socket \
	%D%/postern-smtp.socket %D%/postern-submission.socket \
	%D%/postern-submissions.socket
# One instance for each connection: the same sockets, another service.
front_each = \
	%D%/postern-imap-each.socket %D%/postern-imaps-each.socket \
	%D%/postern-pop3-each.socket %D%/postern-pop3s-each.socket \
	%D%/postern-smtp-each.socket %D%/postern-submission-each.socket \
	%D%/postern-submissions-each.socket \
	%D%/postern-imap-each@.service %D%/postern-imaps-each@.service \
	%D%/postern-pop3-each@.service %D%/postern-pop3s-each@.service \
	%D%/postern-smtp-each@.service %D%/postern-submission-each@.service \
	%D%/postern-submissions-each@.service
$(front_each): %D%/local.mk
each_source = MaxConnectionsPerSource=50
%D%/postern-%-each.socket: %D%/postern-%.socket.in
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed \
	    -e 's/^Documentation=.*/&\nConflicts=postern-$*.socket/' \
	    -e 's/^Service=.*/Accept=yes\nMaxConnections=1000\n$(each_source)/' \
	    $< >$@
%D%/postern-%-each@.service: %D%/postern-each@.service.in
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed -e 's|@service@|$*|g' \
	    -e 's|@pkglibexecdir@|$(pkglibexecdir)|g' $< >$@
nodist_systemdsystemunit_DATA += $(front_units) $(front_each)
CLEANFILES += $(front_units) $(front_each)
EXTRA_DIST += %D%/postern@.service.in %D%/postern-each@.service.in \
	%D%/postern-imap.socket.in %D%/postern-imaps.socket.in \
	%D%/postern-pop3.socket.in %D%/postern-pop3s.socket.in \
	%D%/postern-smtp.socket.in %D%/postern-submission.socket.in \
	%D%/postern-submissions.socket.in
dist_doc_DATA += %D%/fail2ban.conf
TESTS += t/front.t t/front-rights.t t/guard.t t/nursery.t
EXTRA_DIST += t/guard.t t/guard.py t/front.t t/front.py t/front-rights.t t/front-rights.py \
	t/nursery.t t/nursery.py \
	t/frontlib.py
check_PROGRAMS += t/fuzz/imap-login t/fuzz/pop3-login
t_fuzz_imap_login_SOURCES = t/fuzz/imap-login.c t/fuzz/login.h t/fuzz/driver.c
t_fuzz_imap_login_LDADD = $(handlers_imap_imap_login_LDADD)
t_fuzz_pop3_login_SOURCES = t/fuzz/pop3-login.c t/fuzz/login.h t/fuzz/driver.c
t_fuzz_pop3_login_LDADD = $(handlers_pop3_pop3_login_LDADD)
EXTRA_DIST += t/fuzz/seeds/imap-login t/fuzz/seeds/pop3-login
check_PROGRAMS += t/unit/tls t/unit/stub-session
t_unit_stub_session_SOURCES = t/unit/stub-session.c
t_unit_stub_session_LDADD = lib/libpostern.a
t_unit_tls_SOURCES = t/unit/tls.c
t_unit_tls_LDADD = lib/libpostern.a $(GNUTLS_LIBS)
TESTS += t/tls.t t/systemd.t
EXTRA_DIST += t/tls.t t/systemd.t
# Behind a proxy.
check_PROGRAMS += t/unit/proxy.t t/fuzz/proxy t/unit/tlspeer
t_unit_tlspeer_SOURCES = t/unit/tlspeer.c
t_unit_tlspeer_LDADD = lib/libpostern.a $(GNUTLS_LIBS)
t_unit_proxy_t_SOURCES = t/unit/proxy.c t/unit/tap.h
t_unit_proxy_t_LDADD = lib/libpostern.a
t_fuzz_proxy_SOURCES = t/fuzz/proxy.c t/fuzz/driver.c
t_fuzz_proxy_LDADD = lib/libpostern.a
TESTS += t/unit/proxy.t t/proxy.t t/sni.t t/gate.t
EXTRA_DIST += t/fuzz/seeds/proxy t/proxy.t t/proxy.py t/sni.t t/sni.py t/gate.t t/gate.py
check_PROGRAMS += t/unit/seats.t
t_unit_seats_t_SOURCES = t/unit/seats.c t/unit/tap.h %D%/lost.c %D%/seats.c \
	%D%/porter.h
t_unit_seats_t_LDADD = lib/libpostern.a
TESTS += t/unit/seats.t
