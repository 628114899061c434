"""Messages to read: real ones of Debian's packages, and made ones."""
import glob
import os

# What may not be shipped with the source is read where a package put it.
PACKAGES = (
    ('libpython3.11-testsuite', 'python', 'txt',
     '/usr/lib/python3*/test/test_email/data/msg_*.txt'),
    ('python3-flufl.bounce', 'bounce', 'txt',
     '/usr/lib/python3/dist-packages/flufl/bounce/tests/data/*.txt'),
    ('golang-github-jhillyerd-enmime-dev', 'enmime', 'raw',
     '/usr/share/gocode/src/github.com/jhillyerd/enmime/testdata/*/*.raw'),
    ('spamassassin', 'spamassassin', 'txt',
     '/usr/share/doc/spamassassin/examples/sample-*'),
)


def installed():
    """(name, bytes) of packages' messages, and the packages that miss."""
    found, missing = [], []
    for package, short, _, pattern in PACKAGES:
        paths = sorted(glob.glob(pattern))
        if not paths:
            missing.append(package)
        for path in paths:
            base = os.path.splitext(os.path.basename(path))[0]
            if short == 'enmime':
                base = os.path.basename(os.path.dirname(path)) + '-' + base
            with open(path, 'rb') as f:
                found.append((f'{short}/{base}', f.read()))
    return found, missing


def shipped(vectors):
    found = []
    for path in sorted(glob.glob(vectors + '/**/*.eml', recursive=True)):
        with open(path, 'rb') as f:
            found.append((os.path.relpath(path, vectors)[:-4], f.read()))
    return found


TOP = b'From: Ann <ann@example.org>\nSubject: made\nMIME-Version: 1.0\n'


def multipart(boundary, *parts, subtype=b'mixed', end=True, pre=b''):
    out = b'Content-Type: multipart/%s; boundary="%s"\n\n%s' % (
        subtype, boundary, pre)
    for part in parts:
        out += b'--' + boundary + b'\n' + part + b'\n'
    return out + (b'--' + boundary + b'--\n' if end else b'')


def text(body=b'text', more=b''):
    return b'Content-Type: text/plain\n' + more + b'\n' + body


def nested(levels):
    out = text(b'bottom')
    for i in reversed(range(levels)):
        out = multipart(b'level%d.' % i, out)
    return out


def messages(levels):
    out = b'Subject: bottom\n\nbottom\n'
    for i in range(levels):
        out = b'Subject: %d\nContent-Type: message/rfc822\n\n' % i + out
    return out


def sizes():
    """One below, at, and beyond each limit of lib/mail/mime.h."""
    for n in (63, 64, 65, 200):
        yield f'depth-{n}', TOP + nested(n - 1)
        yield f'messages-{n}', messages(n - 1)
    for n in (9998, 9999, 10000, 12000):
        yield f'parts-{n}', TOP + multipart(b'b', *[b'\nx'] * n)
    for n in (63, 64, 65, 1000):
        params = b''.join(b';\n p%d=v%d' % (i, i) for i in range(n))
        yield f'params-{n}', TOP + b'Content-Type: text/plain' + params + \
            b'\n\nx\n'
    for n in (261000, 262144, 263000):
        head = TOP + b'X-Long: '
        tail = b'\nContent-Type: text/html\n\n<p>x\n'
        yield f'header-{n}', head + b'x' * (n - len(head + tail)) + tail
    for n in (1, 69, 70, 71, 78, 79, 80, 81, 200, 998, 1001, 5000):
        yield f'boundary-{n}', TOP + multipart(b'b' * n, text(), text())
    for n in (998, 1000, 65536, 1048576):
        yield f'line-{n}', TOP + text(b'x' * n)
        yield f'unended-{n}', TOP + b'\n' + b'x' * n
        yield f'subject-{n}', b'Subject: ' + b's' * n + b'\n\nx\n'
    yield 'addresses-many', b'To: ' + b',\n '.join(
        b'u%d <u%d@example.org>' % (i, i) for i in range(3000)) + b'\n\nx\n'
    yield 'fields-many', b''.join(b'X-%d: %d\n' % (i, i)
                                  for i in range(20000)) + b'\nx\n'
    yield 'references-many', b'References: ' + b'\n '.join(
        b'<%d@example.org>' % i for i in range(5000)) + b'\n\nx\n'


def bytes_that_disturb():
    yield 'nul-body', TOP + text(b'a\0b\nc\0')
    yield 'nul-header', b'Subject: a\0b\nX: y\n\nx\n'
    yield 'nul-boundary', TOP + multipart(b'b', text(b'\0'), text())
    yield 'bare-cr-body', TOP + text(b'a\rb\r\nc\r\r\nd\n\re')
    yield 'bare-cr-header', b'Subject: a\rb\nX: y\n\nx\n'
    yield 'bare-cr-end', TOP + text(b'a\r')
    yield 'cr-only', b'Subject: a\rTo: b\r\rx\r'
    yield 'crlf', (TOP + multipart(b'b', text(b'a\nb\n'), text())).replace(
        b'\n', b'\r\n')
    yield 'mixed-ends', (b'Subject: a\r\nFrom: a@b\n\r\na\r\nb\nc\r\n')
    yield 'empty-line-only', b'\n'
    yield 'crlf-only', b'\r\n'
    yield 'blank-line', b'Subject: x\n \nTo: a@b\n\t\n\nbody\n'
    yield 'formfeed', b'Subject: a\x0cb\x0b\x1b[31mc\n\n\x0c\n'
    for charset in (b'x-unknown', b'', b'utf-8', b'iso-8859-1'):
        yield f'8bit-header-{charset.decode() or "none"}', \
            b'From: J\xfcrgen <j@example.org>\nSubject: Gr\xfc\xdfe\n' \
            b'Content-Type: text/plain; charset=' + charset + \
            b'\n\nGr\xfc\xdfe\n'
    yield '8bit-utf8', 'From: Jürgen <j@example.org>\nSubject: Grüße ☺\n' \
        '\nx\n'.encode()
    yield '8bit-params', TOP + b'Content-Type: text/plain;\n' \
        b' name="Gr\xc3\xbc\xc3\x9fe.txt"; charset=utf-8\n\nx\n'


def structures():
    inner = multipart(b'bb', text(b'one'), text(b'two'))
    yield 'prefix-inner-longer', TOP + multipart(b'b', inner, text(b'last'))
    inner = multipart(b'b', text(b'one'), text(b'two'))
    yield 'prefix-outer-longer', TOP + multipart(b'bb', inner, text(b'last'))
    yield 'prefix-unclosed', TOP + multipart(b'b', multipart(
        b'b-b', text(b'one'), end=False), text(b'last'))
    yield 'no-final', TOP + multipart(b'b', text(), text(), end=False)
    yield 'no-final-nested', TOP + multipart(b'b', multipart(
        b'c', text(), end=False), text(), end=False)
    yield 'final-twice', TOP + multipart(b'b', text()) + b'--b--\n--b\n\nz\n'
    yield 'final-first', TOP + multipart(b'b') + b'\n--b\n\nz\n--b--\n'
    yield 'no-parts', TOP + multipart(b'b')
    yield 'no-parts-preamble', TOP + multipart(b'b', pre=b'only this\n')
    yield 'one-empty-part', TOP + b'Content-Type: multipart/mixed; ' \
        b'boundary=b\n\n--b\n--b--\n'
    yield 'empty-parts', TOP + multipart(b'b', b'', b'', b'\n', b'\n\n')
    yield 'part-header-only', TOP + multipart(b'b', b'Content-Type: a/b')
    yield 'boundary-empty', TOP + multipart(b'', text())
    yield 'boundary-blank', TOP + multipart(b' ', text())
    yield 'boundary-ends-blank', TOP + multipart(b'b ', text())
    yield 'boundary-blank-inside', TOP + multipart(b'a  b', text(), text())
    yield 'boundary-with-dashes', TOP + multipart(b'--', text(), text())
    yield 'boundary-escaped', TOP + b'Content-Type: multipart/mixed; ' \
        b'boundary="a\\"b\\\\c"\n\n--a"b\\c\n\nx\n--a"b\\c--\n'
    yield 'boundary-8bit', TOP + multipart(b'b\xff', text(), text())
    yield 'boundary-twice', TOP + b'Content-Type: multipart/mixed; ' \
        b'boundary=a; boundary=b\n\n--a\n\nx\n--a--\n--b\n\ny\n--b--\n'
    yield 'boundary-blanks-behind', TOP + b'Content-Type: multipart/mixed;' \
        b' boundary=b\n\n--b  \n\nx\n--b\t\n\ny\n--b-- \n'
    yield 'boundary-text-behind', TOP + b'Content-Type: multipart/mixed; ' \
        b'boundary=b\n\n--b\n\nx\n--bc\ny\n--b--c\nz\n'
    yield 'boundary-indented', TOP + multipart(b'b', text(b'x\n --b\ny'))
    yield 'preamble-epilogue', TOP + multipart(
        b'b', text(), pre=b'pre\nam\n') + b'epi\nlogue'
    digest = [b'Subject: %d\nFrom: a@b\n\nbody %d' % (i, i) for i in (1, 2)]
    yield 'digest', TOP + multipart(
        b'b', *[b'\n' + d for d in digest], subtype=b'digest')
    yield 'digest-typed', TOP + multipart(
        b'b', b'Content-Type: message/rfc822\n\n' + digest[0],
        b'Content-Type: text/plain\n\nx', subtype=b'digest')
    yield 'digest-in-digest', TOP + multipart(b'b', b'\n' + multipart(
        b'c', *[b'\n' + d for d in digest], subtype=b'digest'),
        subtype=b'digest')
    yield 'rfc822-encoded', TOP + multipart(
        b'b', b'Content-Type: message/rfc822\n'
        b'Content-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKeQo=')
    yield 'rfc822-8bit', TOP + multipart(
        b'b', b'Content-Type: message/rfc822\n'
        b'Content-Transfer-Encoding: 8bit\n\nSubject: x\n\ny')
    yield 'rfc822-empty', TOP + multipart(
        b'b', b'Content-Type: message/rfc822\n\n')
    yield 'rfc822-header-only', TOP + multipart(
        b'b', b'Content-Type: message/rfc822\n\nSubject: x')
    yield 'rfc822-multipart', TOP + multipart(
        b'b', b'Content-Type: message/rfc822\n\nSubject: x\n' + multipart(
            b'c', text(), text()), text(b'z'))
    yield 'rfc822-unclosed', TOP + multipart(
        b'b', b'Content-Type: message/rfc822\n\nSubject: x\n' + multipart(
            b'c', text(), text(), end=False), text(b'z'))
    yield 'rfc822-in-rfc822', TOP + b'Content-Type: message/rfc822\n\n' + \
        messages(2)
    yield 'rfc822-addresses', TOP + b'Content-Type: message/rfc822\n\n' \
        b'From: "A, B" <a@b>\nTo: g: c@d, e@f;, h@i\nDate: x\n\ny\n'
    yield 'global', TOP + 'Content-Type: message/global\n\nSubject: ü\n' \
        '\nx\n'.encode()
    yield 'partial', TOP + b'Content-Type: message/partial; number=1;\n' \
        b' total=2; id="x@y"\n\nSubject: whole\n\nfirst half\n'
    yield 'external-body', TOP + b'Content-Type: message/external-body;\n' \
        b' access-type=URL; URL="http://example.org/"\n\n' \
        b'Content-Type: image/gif\n\nphantom\n'
    yield 'delivery-status', TOP + multipart(
        b'b', text(), b'Content-Type: message/delivery-status\n\n'
        b'Reporting-MTA: dns; x\n\nAction: failed\n',
        b'Content-Type: text/rfc822-headers\n\nSubject: x\n',
        subtype=b'report; report-type=delivery-status')
    yield 'alternative-in-related', TOP + multipart(b'a', multipart(
        b'ab', text(), b'Content-Type: text/html\n\n<p>', subtype=b'alternative'
    ), b'Content-Type: image/png\nContent-ID: <i@x>\n\nx', subtype=b'related')
    yield 'mime-not', b'Content-Type: multipart/mixed; boundary=b\n\n' \
        b'--b\n\nno MIME-Version here\n--b--\n'
    yield 'stray-line-in-header', b'Subject: x\nthis is no field\n' \
        b'To: a@b\n\nbody\n'
    yield 'mbox-line', b'From ann Mon Jan  1 00:00:00 2024\nSubject: x\n\ny\n'
    yield 'mbox-line-quoted', b'>From ann\nSubject: x\n\ny\n'
    yield 'no-header', b'\njust a body\n'
    yield 'no-body', b'Subject: x\n'
    yield 'no-body-empty-line', b'Subject: x\n\n'
    yield 'no-end-of-line', b'Subject: x'
    yield 'space-first', b' Subject: x\nTo: a@b\n\ny\n'


def types():
    for name, value in (
            ('empty', b''), ('word', b'text'), ('word-other', b'image'),
            ('word-multipart', b'multipart'), ('slash', b'text/'),
            ('slash-first', b'/plain'), ('two-slashes', b'text/plain/x'),
            ('blanks', b'text / plain ; charset = utf-8'),
            ('case', b'TEXT/Plain; CHARSET=UTF-8; Name=A'),
            ('comment', b'text/plain (x); charset=utf-8 (y (z))'),
            ('comment-front', b'(x) text/plain; charset=utf-8'),
            ('quoted', b'"text/plain"; charset=utf-8'),
            ('no-semicolon', b'text/plain charset=utf-8'),
            ('semicolons', b'text/plain;; ;charset=utf-8;'),
            ('comma', b'text/plain, charset=utf-8'),
            ('no-value', b'text/plain; charset; name=x'),
            ('empty-value', b'text/plain; charset=; name=""'),
            ('open-quote', b'text/plain; name="abc; charset=utf-8'),
            ('escapes', b'text/plain; name="a\\"b\\\\c\\d"'),
            ('quote-behind', b'text/plain; name=a"b"c; charset=utf-8'),
            ('tspecials', b'text/plain; name=a@b/c?d:e[1]; charset=utf-8'),
            ('unquoted-blank', b'application/pdf; name=my file (1).pdf'),
            ('single-quotes', b"text/plain; charset='utf-8'"),
            ('twice', b'text/plain; charset=utf-8; charset=us-ascii'),
            ('folded', b'text/plain;\n\tcharset="utf\n -8";\n name=x'),
            ('folded-odd', b'\n text\n /plain\n ;\n charset\n =\n utf-8'),
            ('8bit', b'text/pl\xe4in; charset=utf-8'),
            ('no-name', b'text/plain; =x; charset=utf-8'),
            ('long-type', b'text/' + b'x' * 300),
            ('long-name', b'text/plain; ' + b'n' * 3000 + b'=v'),
            ('long-value', b'text/plain; name=' + b'v' * 30000)):
        yield 'type-' + name, TOP + b'Content-Type: ' + value + b'\n\nx\n'
    yield 'type-twice', TOP + b'Content-Type: text/html\n' \
        b'Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n'
    yield 'type-twice-in-part', TOP + multipart(
        b'b', b'Content-Type: text/html\nContent-Type: image/png\n\nx')
    for name, value in (
            ('odd', b'uuencode'), ('two', b'8bit, base64'),
            ('comment', b'(x) base64 (y)'), ('case', b'BASE64'),
            ('quoted', b'"base64"'), ('semicolon', b'7bit;'),
            ('empty', b''), ('blank', b'quoted printable')):
        yield 'encoding-' + name, TOP + b'Content-Transfer-Encoding: ' + \
            value + b'\n\naGVsbG8=\n'
    yield 'encoding-twice', TOP + b'Content-Transfer-Encoding: 7bit\n' \
        b'Content-Transfer-Encoding: base64\n\naGVsbG8=\n'
    yield 'encoding-multipart', TOP + b'Content-Transfer-Encoding: base64\n' \
        + multipart(b'b', text())
    for name, value in (
            ('plain', b'attachment; filename=x.txt'),
            ('quoted', b'attachment; filename="a b.txt"'),
            ('unquoted', b'attachment; filename=a b (2).txt'),
            ('none', b'filename=x.txt'), ('empty', b''),
            ('semicolon', b'; filename=x.txt'),
            ('case', b'INLINE; FileName=X.TXT'),
            ('dates', b'attachment; filename=x; size=3;\n'
             b' creation-date="Wed, 12 Feb 1997 16:29:51 -0500"'),
            ('encoded', b'attachment; filename="=?utf-8?q?=C3=A4.txt?="')):
        yield 'disposition-' + name, TOP + b'Content-Disposition: ' + \
            value + b'\n\nx\n'
    yield 'disposition-twice', TOP + b'Content-Disposition: inline\n' \
        b'Content-Disposition: attachment; filename=x\n\nx\n'
    yield 'other-fields', TOP + b'Content-ID: <a@b>\nContent-MD5: Q2hl\n' \
        b'Content-Description: =?utf-8?q?d=C3=A4?=\n folded\n' \
        b'Content-Language: en, de (German), fr-CA\n' \
        b'Content-Location: http://example.org/\n\nx\n'
    yield 'other-fields-empty', TOP + b'Content-ID:\nContent-MD5:\n' \
        b'Content-Description:\nContent-Language:\nContent-Location: \n\nx\n'


def continuations():
    for name, value in (
            ('order', b"n*0=a; n*1=b; n*2=c"),
            ('wrong-order', b"n*2=c; n*0=a; n*1=b"),
            ('gap', b"n*0=a; n*2=c"),
            ('no-zero', b"n*1=b; n*2=c"),
            ('double', b"n*0=a; n*0=x; n*1=b; n*1=y"),
            ('extended', b"n*=utf-8'en'%C3%A4%20b"),
            ('extended-sections', b"n*0*=utf-8''%C3; n*1*=%A4; n*2=\"b c\""),
            ('extended-late', b"n*0=a; n*1*=%C3%A4"),
            ('with-plain', b"n=plain; n*=utf-8''%C3%A4"),
            ('no-charset', b"n*=''%E4"), ('no-quotes', b"n*=%E4"),
            ('broken-percent', b"n*=utf-8''%C3%A4%%4%zz%"),
            ('unknown-charset', b"n*=x-none''%E4"),
            ('quoted', b"n*=\"utf-8''%C3%A4\""),
            ('leading-zero', b"n*00=a; n*01=b"),
            ('many', b'; '.join(b'n*%d=%d' % (i, i) for i in range(60))),
            ('large-number', b"n*99999999999999999999=a; n*0=b")):
        value = value.replace(b'n', b'name', 1) if value == b'' else \
            value.replace(b'n*', b'name*').replace(b'n=', b'name=')
        yield '2231-' + name, TOP + b'Content-Type: text/plain; ' + value + \
            b'\n\nx\n'
        yield '2231-file-' + name, TOP + b'Content-Disposition: attachment;' \
            b' ' + value.replace(b'name', b'filename') + b'\n\nx\n'


def words():
    for name, value in (
            ('q', b'=?iso-8859-1?q?Gr=FC=DFe_an_alle?='),
            ('b', b'=?utf-8?B?R3LDvMOfZQ==?='),
            ('two', b'=?utf-8?q?a?= =?utf-8?q?b?='),
            ('two-folded', b'=?utf-8?q?a?=\n =?utf-8?q?b?='),
            ('mid-character', b'=?utf-8?q?a=C3?= =?utf-8?q?=A4b?='),
            ('mid-base64', b'=?utf-8?B?R3LD?= =?utf-8?B?vMOfZQ==?='),
            ('two-charsets', b'=?utf-8?q?=C3=A4?= =?iso-8859-1?q?=E4?='),
            ('no-blank', b'a=?utf-8?q?b?=c'),
            ('open', b'=?utf-8?q?abc'), ('open-b', b'=?utf-8?b?YWJj'),
            ('bad-base64', b'=?utf-8?b?YW!Jj*?='),
            ('short-base64', b'=?utf-8?b?YWJ?='),
            ('bad-q', b'=?utf-8?q?=G1=4?='), ('blank-in', b'=?utf-8?q?a b?='),
            ('empty', b'=?utf-8?q??='), ('no-charset', b'=??q?a?='),
            ('language', b'=?utf-8*en?q?a?='), ('odd', b'=?utf-8?x?a?='),
            ('unknown', b'=?x-none?q?=E4?='),
            ('in-quotes', b'"=?utf-8?q?a?="'),
            ('line-end', b'=?utf-8?q?a=0D=0ATo:_b?='),
            ('nul', b'=?utf-8?q?a=00b?='),
            ('jis', b'=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?='),
            ('long', b'=?utf-8?q?' + b'=C3=A4' * 3000 + b'?=')):
        yield '2047-' + name, b'Subject: ' + value + b'\nFrom: ' + value + \
            b' <a@b>\n\nx\n'


def address_forms():
    for name, value in (
            ('group', b'Friends: a@b, C <c@d>;'), ('group-empty', b'None:;'),
            ('group-open', b'Friends: a@b, c@d'),
            ('group-two', b'A: a@b;, B: c@d;, e@f'),
            ('group-nested', b'A: B: a@b;;'), ('group-quoted', b'"A:B": a@b;'),
            ('undisclosed', b'undisclosed-recipients:;'),
            ('route', b'<@x,@y:a@b>'), ('empty', b'<>'), ('nothing', b''),
            ('blanks', b'  ,  , ,a@b, '), ('open', b'A <a@b'),
            ('close', b'A a@b>'), ('name-only', b'Ann'),
            ('name-words', b'Ann Example'), ('local-only', b'<ann>'),
            ('comment-name', b'a@b (Ann Example)'),
            ('comment-nested', b'a@b (Ann (the first) Example)'),
            ('comment-escape', b'a@b (Ann \\) Example)'),
            ('comment-open', b'a@b (Ann'),
            ('comments', b'(1) A (2) <(3)a(4)@(5)b(6)>(7)'),
            ('quoted', b'"A, B" <a@b>'),
            ('quoted-escape', b'"A \\"B\\"" <a@b>'),
            ('quoted-local', b'"a b"@c'), ('quoted-open', b'"A <a@b>, c@d'),
            ('two-ats', b'a@b@c'), ('dot', b'a.@b'), ('dots', b'.a..b@c.'),
            ('literal', b'a@[192.0.2.1]'), ('domain-blank', b'a@b . c'),
            ('local-blank', b'a . b @ c'), ('semicolon', b'a@b; c@d'),
            ('8bit', b'J\xfcrgen <a@b>'), ('utf8', 'Jürgen <ü@ä>'.encode()),
            ('no-comma', b'<a@b> <c@d>'), ('colon', b'mailto:a@b'),
            ('brackets', b'[list] a <a@b>'), ('angles', b'<<a@b>>'),
            ('initial', b'J. R. Example <a@b>'), ('dash', b'- <a@b>'),
            ('at-name', b'a@b <c@d>'), ('tab', b'A\tB\t<a@b>'),
            ('folded', b'A\n B\n\t<a@b>,\n c@d'),
            ('folded-quoted', b'"A\n B" <a@b>')):
        yield 'address-' + name, b'From: ' + value + b'\nTo: ' + value + \
            b'\nSubject: x\n\ny\n'
    yield 'address-twice', b'To: a@b\nTo: c@d\nFrom: e@f\nFrom: g@h\n\ny\n'
    yield 'address-sender-empty', b'From: a@b\nSender:\nReply-To: ,\n\ny\n'
    yield 'subject-twice', b'Subject: a\nSubject: b\nDate: c\nDate: d\n\ny\n'
    yield 'subject-empty', b'Subject:\nDate: \nMessage-ID:\n' \
        b'In-Reply-To:\n\ny\n'
    yield 'subject-folded', b'Subject: a\n  b\n\tc\n d \n\ny\n'
    yield 'subject-blank-colon', b'Subject : a\nFrom\t: b@c\n\ny\n'


DATES = (
    b'Fri, 21 Nov 1997 09:55:06 -0600', b'21 Nov 1997 09:55:06 -0600',
    b'21 Nov 97 09:55:06 GMT', b'Fri, 21 Nov 1997 09(comment):55 : 06 -0600',
    b'Fri,21 Nov 1997 09:55:06 -0600', b'Fri, 21 Nov 1997 09:55 EST',
    b'Thu, 13\n Feb 1969 23:32 -0330 (Newfoundland Time)',
    b'Fri, 21 Nov 103 09:55:06 +0000', b'1 Jan 49 00:00:00 Z',
    b'1 Jan 50 00:00:00 A', b'Mon Jan  1 00:00:00 2024',
    b'Mon, 1 Jan 2024 24:00:00 +0000', b'Mon, 31 Feb 2024 10:00:00 +0000',
    b'2024-01-01T10:00:00Z', b'Mon, 01-Jan-2024 10:00:00 +0000',
    b'Mon, 1 January 2024 10:00:00 +0000', b'Mon, 1 Jan 2024 10:00:60 +0000',
    b'Mon, 1 Jan 2024 10:00:00 +9999', b'Mon, 1 Jan 2024 10:00:00',
    b'Mon, 1 Jan 2024 10.00.00 +0000', b'tomorrow', b'', b'0 Jan 2024',
    b'1 Jan 99999 00:00:00 +0000', b'Mon, 1 Jan 2024 9:5:6 PM +0000')


def dates():
    for i, value in enumerate(DATES):
        yield f'date-{i}', b'Date: ' + value + b'\nSubject: x\n\ny\n'


def made():
    found = []
    for group in (sizes, bytes_that_disturb, structures, types,
                  continuations, words, address_forms, dates):
        for name, data in group():
            found.append(('made/' + name, data))
    return found
