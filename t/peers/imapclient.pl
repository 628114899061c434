# Mail::IMAPClient against tools/try; prints TAP.
use strict;
use warnings;
use IO::Socket::SSL;
use Mail::IMAPClient;
use Test::More;

my %common = (
	Server   => $ENV{IMAP_HOST},
	User     => $ENV{MAIL_USER2},
	Password => $ENV{MAIL_PASS2},
	Timeout  => 20,
	Uid      => 1,
	Peek     => 1,
);
my $tls = [
	SSL_ca_file         => $ENV{CA_FILE},
	SSL_verify_mode     => SSL_VERIFY_PEER,
	SSL_verifycn_name   => $ENV{IMAP_HOST},
	SSL_verifycn_scheme => 'imap',
];
my %way = (
	clear    => { Port => $ENV{IMAP_PORT} },
	STARTTLS => { Port => $ENV{IMAP_PORT}, Starttls => $tls },
	TLS      => { Port => $ENV{IMAPS_PORT}, Ssl => $tls },
);

sub login {
	my ($way, %more) = @_;
	return Mail::IMAPClient->new(%common, %{ $way{$way} }, %more);
}

# The name means nothing to Mail::IMAPClient: modified UTF-7 is the caller's.
my $folder  = 'Entw&APw-rfe "zwei" \\ &2D3eAA-';
my $renamed = '&ZeVnLIqe-/&AMQ-rger &- Co';

sub logins {
	for my $way (sort keys %way) {
		for my $mechanism ('', 'PLAIN', 'LOGIN') {
			my $m = login($way,
				$mechanism ? (Authmechanism => $mechanism) : ());
			ok($m, "$way: login " . ($mechanism || 'by LOGIN')) or
			    diag($@);
			ok($m && $m->logout, "$way: logout");
		}
	}
	ok(!login('TLS', Password => 'wrong'), 'a wrong password');
	like($@, qr/AUTHENTICATIONFAILED/, 'and is told so');
}

sub folders {
	my $m = shift;

	ok($m->create($folder), 'CREATE with quotes, by a literal');
	ok(!$m->create($folder), 'CREATE of what is there');
	like($m->LastError, qr/ALREADYEXISTS/, 'and is told so');
	ok(scalar(grep { $_ eq $folder } $m->folders), 'LIST shows it so');
	ok($m->exists($folder), 'STATUS of it');
	is($m->separator, '/', 'the separator');
	ok($m->subscribe($folder), 'SUBSCRIBE');
	ok(scalar(grep { $_ eq $folder } $m->subscribed), 'LSUB shows it so');
}

sub message {
	my ($n, $end) = @_;
	my @lines = (
		'From: "A. B." <alice@example.test>',
		'To: bob@example.test, Carol <carol@example.test>',
		"Subject: number $n (\"x\")",
		'Date: Wed, 01 Jan 2020 00:00:00 +0000',
		"Message-ID: <$n.imapclient\@example.test>",
		'MIME-Version: 1.0',
		'Content-Type: multipart/mixed; boundary="b"',
		'',
		'--b',
		'Content-Type: text/plain; charset=utf-8',
		'',
		"Gr\xc3\xbc\xc3\x9fe",
		'.',
		'--b',
		'Content-Type: application/octet-stream; name="a.bin"',
		'Content-Transfer-Encoding: base64',
		'',
		('QUJD' x 18) x $n,
		'--b--',
		'',
	);
	return join $end, @lines;
}

sub appends {
	my $m    = shift;
	my $file = "$ENV{tmp}/append.eml";

	is($m->append($folder, message(1, "\n")), 1, 'append');
	is($m->append_string($folder, message(2, "\r\n"), '\\Seen \\Flagged',
		'01-Feb-2020 03:04:05 +0100'), 2, 'append_string');
	open my $f, '>', $file or die;
	print $f message(3000, "\n");
	close $f;
	is($m->append_file($folder, $file, undef, '$Forwarded client'), 3,
		'append_file streams 220 kB');
}

sub reads {
	my $m = shift;

	ok($m->select($folder), 'SELECT');
	is_deeply(scalar $m->messages, [1, 2, 3], 'the messages');
	is($m->message_string(3), message(3000, "\r\n"), 'the bytes of a message');
	is($m->size(2), length message(2, "\r\n"), 'RFC822.SIZE');
	is($m->internaldate(2), '01-Feb-2020 02:04:05 +0000', 'INTERNALDATE');
	is_deeply([sort $m->flags(2)], ['\\Flagged', '\\Seen'], 'the flags');
	is_deeply([sort $m->flags(3)], ['$Forwarded', 'client'], 'keywords');
	is($m->subject(1), 'number 1 ("x")', 'Subject');
	is_deeply($m->parse_headers(1, 'Message-ID', 'To'), {
		'Message-ID' => ['<1.imapclient@example.test>'],
		To => ['bob@example.test, Carol <carol@example.test>'],
	}, 'parse_headers');
	my $e = $m->get_envelope(2);
	ok($e && $e->subject eq 'number 2 (\\"x\\")', 'ENVELOPE: the subject');
	is_deeply([$e->to_addresses],
		['<bob@example.test>', 'Carol <carol@example.test>'],
		'ENVELOPE: the addresses');
	my $b = $m->get_bodystructure(1);
	ok($b, 'BODYSTRUCTURE');
	is_deeply([$b->parts], [1, 2], 'BODYSTRUCTURE: the parts');
	is($m->bodypart_string(1, 1), "Gr\xc3\xbc\xc3\x9fe\r\n.", 'a part');
	is_deeply($m->fetch_hash('RFC822.SIZE', 'FLAGS')->{1}, {
		'RFC822.SIZE' => length message(1, "\r\n"),
		FLAGS => '',
	}, 'fetch_hash');
}

sub searches {
	my $m = shift;

	is_deeply([$m->search('HEADER', 'Message-ID', '<2.imap')], [2],
		'SEARCH HEADER');
	is_deeply([$m->search('NOT', 'SUBJECT', 'r 2 ("x',
		'UNKEYWORD', 'client')], [1], 'SEARCH with quotes in it');
	is_deeply([$m->search('FLAGGED')], [2], 'SEARCH FLAGGED');
	is_deeply([$m->unseen], [1, 3], 'SEARCH UNSEEN');
	is_deeply([$m->sentbefore(1577836800)], [], 'SEARCH SENTBEFORE');
	is_deeply([$m->before(1580601600)], [2], 'SEARCH BEFORE');
	is_deeply([$m->search('LARGER', 100000)], [3], 'SEARCH LARGER');
}

sub changes {
	my $m = shift;

	ok($m->see(1, 3), 'STORE');
	is_deeply([$m->unseen], [], 'and it is so');
	ok($m->deny_seeing(1), 'STORE, taken back');
	is_deeply([$m->unseen], [1], 'and it is so');
	is($m->copy('INBOX', 1, 2), '1,2', 'COPY');
	is($m->move('INBOX', 3), 3, 'move');
	ok($m->expunge, 'EXPUNGE');
	is_deeply(scalar $m->messages, [1, 2], 'the rest');
	ok($m->delete_message(2), 'a message deleted');
	ok($m->uidexpunge(2), 'UID EXPUNGE');
	ok($m->examine($folder), 'EXAMINE');
	ok(!$m->see(1), 'STORE in what is read only');
	like($m->LastError, qr/READ-ONLY/, 'and is told so');
	ok($m->close, 'CLOSE');
	ok($m->rename($folder, $renamed), 'RENAME into a new parent');
	ok($m->exists($renamed), 'the new name');
	ok(!$m->exists($folder), 'the old name');
	ok($m->delete($renamed), 'DELETE');
	ok(!$m->delete($renamed), 'DELETE again');
	ok($m->unsubscribe($folder), 'UNSUBSCRIBE');
}

sub watches {
	my $m = shift;
	my $other = login('STARTTLS') or return fail('a second session');
	my $seen = 0;

	ok($m->select('INBOX'), 'SELECT INBOX');
	my $before = $m->message_count;
	my $tag = $m->idle;
	ok($tag, 'IDLE');
	ok($other->append('INBOX', message(4, "\n")), 'another session appends');
	for (1 .. 40) {
		my $lines = $m->idle_data(0.5) || [];
		last if $seen = grep { /EXISTS/ } @$lines;
	}
	ok($seen, 'IDLE tells it');
	ok($m->done($tag), 'DONE');
	is($m->message_count, $before + 1, 'the message is there');
	ok($other->logout, 'logout');
}

logins();
my $m = login('TLS') or BAIL_OUT("no login: $@");
folders($m);
appends($m);
reads($m);
searches($m);
changes($m);
watches($m);
ok($m->logout, 'logout');
done_testing();
