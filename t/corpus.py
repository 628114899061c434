"""What IMAP says of many messages, against Dovecot and Python; prints TAP.

The messages are those of corpuslib.py and t/vectors/mail.  Where we differ,
the difference must be of a class below, which gives its reason; how many
there are of each is printed.  A message that is listed in a class and does
not differ so is an error, too.

Usage: corpus.py MAILTREE VECTORS
"""
import collections
import email
import email.errors
import email.header
import email.utils
import os
import random
import re
import subprocess
import sys
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get("POSTERN_SRC", "."), "t"))
import corpuslib  # noqa
from mimelib import ours, theirs, tokens  # noqa
from imapd import Raw, maildir, ok, run, tmp, wire  # noqa

DOVECOT = '/usr/lib/dovecot/imap'
CONF = """mail_location = maildir:%(box)s
log_path = %(tmp)s/dovecot.log
base_dir = %(tmp)s
state_dir = %(tmp)s
mail_uid = %(uid)d
mail_gid = %(gid)d
first_valid_uid = 1
first_valid_gid = 1
ssl = no
protocols = imap
"""
NOBODY = 65534
WINDOWS = (0, 1, 70, 65535, 65536, 65537, 262143, 262144, 262145, 524288)
ENDS = (b'\r\n', b'\n', b'\r', b'')
SECTIONS = 40  # of a message whose bytes are compared


class Server:
    def __init__(self, raw):
        self.raw = raw
        raw.cmd('select inbox')

    def fetch(self, n, items):
        for line in self.raw.cmd('fetch %d (%s)' % (n, items)):
            m = re.match(rb'\* %d FETCH ' % n, line)
            if m:
                flat = tokens(line[m.end():])[0]
                return dict(zip(flat[::2], flat[1::2]))
        return {'error': line}


def postern(corpus, name='postern'):
    box = maildir(name)
    fill(box, corpus)
    return Server(Raw(box))


def dovecot(corpus):
    box = maildir('dovecot')
    fill(box, corpus)
    how, uid, gid = {}, os.getuid(), os.getgid()
    if uid == 0:
        uid = gid = NOBODY
        subprocess.run(['chown', '-R', '%d:%d' % (uid, gid), tmp], check=True)
        how = dict(user=uid, group=gid, extra_groups=[])
    with open(tmp + '/dovecot.conf', 'w') as f:
        f.write(CONF % dict(box=box, tmp=tmp, uid=uid, gid=gid))
    env = dict(HOME=tmp, USER='nobody', PATH='/usr/bin:/bin')
    return Server(Raw(None, [DOVECOT, '-c', tmp + '/dovecot.conf'], env=env,
                      stderr=subprocess.DEVNULL, **how))


def fill(box, corpus):
    for i, (_, data) in enumerate(corpus):
        path = '%s/cur/%d.M%dP1.host:2,' % (box, 1000000000 + i, i)
        with open(path, 'wb') as f:
            f.write(data)
        os.utime(path, (1000000000 + i,) * 2)
    os.makedirs(box + '/new', exist_ok=True)



def low(x):
    return x.lower() if isinstance(x, bytes) else x


def is_multipart(body):
    return isinstance(body[0], list)


def is_message(body):
    return (low(body[0]), low(body[1])) == (b'message', b'rfc822')


def split(body):
    """Children and the rest of a multipart."""
    n = 0
    while n < len(body) and isinstance(body[n], list):
        n += 1
    return body[:n], body[n:]


def kind(body):
    if is_multipart(body):
        children, rest = split(body)
        return 'multipart/%s of %d' % (rest[0].decode('latin1').lower(),
                                       len(children))
    return (body[0] + b'/' + body[1]).decode('latin1').lower()


def fields(body):
    """The fields of a single part by name."""
    names = ['type', 'subtype', 'params', 'id', 'description', 'encoding',
             'octets']
    if is_message(body):
        names += ['envelope', 'body', 'lines']
    elif low(body[0]) == b'text':
        names.append('lines')
    return dict(zip(names + ['md5', 'disposition', 'language', 'location'],
                    body))


ENVELOPE = ('date', 'subject', 'from', 'sender', 'reply-to', 'to', 'cc',
            'bcc', 'in-reply-to', 'message-id')


def envelopes(a, b, where):
    for name, x, y in zip(ENVELOPE, a, b):
        if x != y:
            yield where + 'envelope.' + name, x, y


def bodies(a, b, where=''):
    """The differences of two body structures: (where, ours, theirs)."""
    if is_multipart(a) != is_multipart(b):
        yield where + 'type', kind(a), kind(b)
    elif is_multipart(a):
        yield from multiparts(a, b, where)
    elif kind(a) != kind(b):
        yield where + 'type', kind(a), kind(b)
    else:
        ours, theirs = fields(a), fields(b)
        for name in ours:
            x, y = ours[name], theirs.get(name)
            if name == 'envelope':
                yield from envelopes(x, y, where)
            elif name == 'body':
                yield from bodies(x, y, where + 'message.')
            elif name in ('type', 'subtype', 'encoding'):
                if low(x) != low(y):
                    yield where + name, x, y
            elif x != y:
                yield where + name, x, y


def multiparts(a, b, where):
    ours, theirs = split(a), split(b)
    for name, x, y in zip(('subtype', 'params', 'disposition', 'language',
                           'location'), ours[1], theirs[1]):
        if low(x) != low(y):
            yield where + name, x, y
    if len(ours[0]) != len(theirs[0]):
        yield where + 'parts', len(ours[0]), len(theirs[0])
        return
    for i, (x, y) in enumerate(zip(ours[0], theirs[0])):
        yield from bodies(x, y, '%s%d.' % (where, i + 1))


def numbers(body, prefix='', whole=True):
    """(section number, part) of all parts that have one."""
    if is_multipart(body):
        for i, part in enumerate(split(body)[0]):
            yield from numbered(part, '%s%d' % (prefix, i + 1))
    elif whole:
        yield from numbered(body, prefix + '1')


def numbered(part, number):
    yield number, part
    if is_multipart(part):
        yield from numbers(part, number + '.')
    elif is_message(part):
        yield from numbers(fields(part)['body'], number + '.')


def texts(body):
    """The items of FETCH for all bytes that parts have."""
    items = ['BODY.PEEK[]', 'BODY.PEEK[HEADER]', 'BODY.PEEK[TEXT]']
    for number, part in list(numbers(body))[:SECTIONS]:
        items.append('BODY.PEEK[%s]' % number)
        if not (number == '1' and not is_multipart(body)):
            items.append('BODY.PEEK[%s.MIME]' % number)
        if not is_multipart(part) and is_message(part):
            items.append('BODY.PEEK[%s.HEADER]' % number)
            items.append('BODY.PEEK[%s.TEXT]' % number)
    return items



# Classes of difference to Dovecot.

def pairs(params):
    """Decoded name and value, without a charset that is the default."""
    if params is None:
        return []
    got = zip(params[::2], params[1::2])
    got = [(low(n), urllib.parse.unquote_to_bytes(v)) for n, v in got]
    return sorted(p for p in got
                  if p[0] != b'charset' or low(p[1]) != b'us-ascii')


def same_params(a, b):
    return pairs(a) == pairs(b)


def same_disposition(a, b):
    return a and b and low(a[0]) == low(b[0]) and same_params(a[1], b[1])


def plain(x):
    """Without what Dovecot writes where there is nothing."""
    if isinstance(x, list):
        return [plain(y) for y in x]
    return b'' if x in (b'MISSING_DOMAIN', b'MISSING_MAILBOX') else x


def same_words(a, b):
    return isinstance(a, bytes) and isinstance(b, bytes) and \
        a.replace(b'\x80', b'\xef\xbf\xbd').split() == b.split()


def line_end(what, a, b):
    if what in ('octets', 'lines'):
        return int(b) == int(a) + (2 if what == 'octets' else 1)
    return what.startswith('BODY[') and b == a + b'\r\n'


def begins_with_text(data):
    """The first line is no header field."""
    first = data.split(b'\r\n')[0]
    return first != b'' and not re.match(rb'[!-9;-~]+[ \t]*:|[ \t]', first)


def no_header(what, a, b):
    if what in ('octets', 'lines'):
        return b == '0'
    if what.endswith(('HEADER]', 'MIME]')):
        return b.startswith(a) and begins_with_text(b[len(a):])
    return what.startswith('BODY') and b == b'' and begins_with_text(a)


RULES = (
    ('a charset is not made up', lambda w, a, b:
     w == 'params' and same_params(a, b)),
    ('parameters that RFC 2231 cut are joined, in their order',
     lambda w, a, b: w == 'disposition' and same_disposition(a, b)),
    ('what an address lacks is empty, not MISSING_DOMAIN', lambda w, a, b:
     w.startswith('envelope') and a == plain(b)),
    ('an address is read as far as it goes, not SYNTAX_ERROR',
     lambda w, a, b: w.startswith('envelope') and
     b'SYNTAX_ERROR' in str(b).encode()),
    ('blanks in a value stay as they are', lambda w, a, b:
     same_words(a, b)),
    ('a last line without an end counts', lambda w, a, b:
     w == 'lines' and int(a) == int(b) + 1),
    ('the line end before a delimiter is its own (RFC 2046 5.1.1)',
     line_end),
    ('a header has its empty line', lambda w, a, b:
     w.endswith('.MIME]') and a == (b or b'') + b'\r\n'),
    ('a multipart without parts is text', lambda w, a, b:
     w == 'type' and a == 'text/plain' and b.endswith(' of 1')),
    ('a line without a colon begins a body', no_header),
    ('what is no type is text or bytes', lambda w, a, b:
     w == 'type' and b.endswith('/')),
)




def reports(what, a, b):
    """Python takes reports and external bodies apart."""
    return any(x.split(' ')[1] in (
        'message/delivery-status', 'message/external-body',
        'message/disposition-notification', 'message/global',
        'message/partial') for x in a)


def no_parts(what, a, b):
    return len(a) < 3 and any('multipart/' in x for x in b[len(a) - 1:]) and \
        'text/plain' in a[-1]


def odd_type(what, a, b):
    return len(a) == len(b) and not all(
        re.fullmatch(r'[a-z]+/[a-z0-9.+-]+', (x + ' ').split(' ')[1]) and
        len(x.split(' ')) == 4 for x in b)


PYTHON_RULES = (
    ('reports are not taken apart', reports),
    ('a multipart without parts is text', no_parts),
    ('Python shows a type that is none', odd_type),
)

# What one message shows, by name.
DOVECOT_LISTED = {
    'a limit of ours: depth, parts, parameters, bytes of a header':
        'made/depth-65 made/depth-200 made/messages-65 made/messages-200 '
        'made/parts-9999 made/parts-10000 made/parts-12000 made/params-65 '
        'made/params-1000 made/header-263000 made/subject-1048576',
    'boundaries have any length; blanks at their end do not count':
        'made/boundary-81 made/boundary-200 made/boundary-998 '
        'made/boundary-1001 made/boundary-5000 hostile/long-boundary '
        'hostile/trailing-blanks',
    'RFC 2231 holds for boundaries': 'python/msg_33',
    'a message that is encoded is bytes (RFC 2046 5.2.1)':
        'made/rfc822-encoded hostile/base64-message',
    'of two fields of one name the first counts':
        'enmime/mail-inlinemultipart hostile/double-fields '
        'enmime/mail-malformed-multiple-address-header-values '
        'made/disposition-twice made/subject-twice',
    'a value without quotes goes to the next ";", an open quote to the line '
    'end, no value is no parameter':
        'enmime/mail-mime-unquoted-tspecials-param '
        'enmime/parts-missing-closing-param-quote '
        'enmime/parts-unquoted-ctype-param-special hostile/double-params '
        'hostile/open-quote hostile/unquoted-params made/type-no-value '
        'made/type-open-quote made/type-quote-behind made/type-tspecials '
        'made/type-unquoted-blank made/type-no-name '
        'made/disposition-unquoted',
    'a disposition without a word is an attachment (RFC 2183 2.8)':
        'made/disposition-none made/disposition-empty '
        'made/disposition-semicolon',
    'a type is a token of 127 bytes; multipart without a boundary is text':
        'made/type-word-multipart made/type-8bit made/type-long-type',
    'an encoding is its first word': 'made/encoding-two made/encoding-blank',
    'pieces that RFC 2231 does not allow stay as they stand':
        'made/2231-extended-late made/2231-file-extended-late '
        'made/2231-large-number made/2231-file-large-number',
    'a delimiter may have text behind it': 'python/msg_38',
    'addresses are read as far as anything can be made of them':
        'hostile/addresses hostile/nul made/address-group-nested '
        'made/address-blanks made/address-close made/address-comment-open '
        'made/address-quoted-open made/address-two-ats made/address-dots '
        'made/address-local-blank made/address-semicolon '
        'made/address-brackets made/address-at-name '
        'made/address-sender-empty',
}

PYTHON_LISTED = {
    'trailing blanks of quoted-printable go (RFC 2045 6.7)': 'python/msg_15',
    'a first line that is no field is in the header of the message':
        'python/msg_19 made/stray-line-in-header made/mbox-line-quoted '
        'made/subject-blank-colon hostile/no-colon '
        'enmime/mail-qp-utf8-header-no-break',
    'Python drops a part that has not one line':
        'python/msg_37 hostile/empty-parts',
    'of two levels with one boundary the inner one is closed first':
        'python/msg_39 hostile/same-boundary',
    'a multipart without parts is text, in a message too':
        'python/msg_42',
    'base64 is decoded as far as it goes':
        'enmime/low-quality-bad-header-wrap made/encoding-comment '
        'enmime/mail-mime-bad-content-transfer-encoding',
    'Python does not read 8-bit parameters, and no 8-bit boundary':
        'enmime/mail-mime-bad-8bit-filename made/8bit-params '
        'made/boundary-8bit',
    'Python drops the last line end of an open part':
        'enmime/parts-badboundary made/no-final made/no-final-nested '
        'enmime/parts-multimixed-no-closing-boundary '
        'hostile/no-final-boundary',
    'a word that is no type is bytes; a bare "multipart" is mixed':
        'enmime/parts-empty-ctype-bad-content hostile/odd-type '
        'hostile/bare-multipart-type made/type-word-other',
    'a message that is encoded is bytes (RFC 2046 5.2.1)':
        'hostile/base64-message made/rfc822-encoded',
    'Python does not unfold a quoted boundary': 'hostile/folded-boundary',
    'sections of RFC 2231: the first of a number, none behind a gap; one '
    'that is extended is decoded':
        'hostile/rfc2231-gap made/2231-gap made/2231-file-gap '
        'made/2231-no-zero made/2231-file-no-zero made/2231-double '
        'made/2231-file-double made/2231-extended-late '
        'made/2231-file-extended-late made/2231-large-number '
        'made/2231-file-large-number',
    'the extended form goes before the plain one (RFC 6266 4.3)':
        'made/2231-with-plain made/2231-file-with-plain',
    'an unknown charset is not taken for Latin-1':
        'made/2231-no-charset made/2231-file-no-charset '
        'made/2231-unknown-charset made/2231-file-unknown-charset',
    'a limit of ours: depth, parts, bytes of a header and of a type':
        'made/type-long-type made/depth-65 made/depth-200 '
        'made/messages-65 made/messages-200 '
        'made/parts-10000 made/parts-12000 made/header-263000',
    'a bare CR is no line end': 'made/bare-cr-header made/cr-only',
    'blanks at the end of a boundary do not count': 'made/boundary-ends-blank',
    'a delimiter may have text behind it': 'made/boundary-text-behind',
    'parameters without their quotes and backslashes':
        'made/type-open-quote made/type-escapes',
}


class Classes:
    """Counts differences by class; what is of none is an error."""

    def __init__(self, other, listed, rules=()):
        self.other, self.rules = other, rules
        self.listed = {n: c for c, names in listed.items()
                       for n in names.split()}
        self.counts = collections.Counter()
        self.seen = set()
        self.same = self.differ = 0

    def of(self, name, where, a, b):
        """Its class, or None."""
        what = where if where.startswith('BODY[') else \
            re.search(r'(envelope\.)?[^.]*$', where).group()
        for title, rule in self.rules:
            if rule(what, a, b):
                return title
        self.seen.add(name)
        return self.listed.get(name)

    def message(self, name, differences):
        """All differences of one message: (where, ours, theirs)."""
        unknown, structure = [], None
        for where, a, b in differences:
            # Other parts have other bytes.
            title = structure if structure and where.startswith('BODY[') \
                else self.of(name, where, a, b)
            if title is None:
                unknown += [where, a, b]
            elif where.endswith(('type', 'parts')):
                structure = title
            self.counts[title] += 1
        self.differ += bool(differences)
        self.same += not differences
        if unknown:
            ok(False, '%s: as %s' % (name, self.other), *unknown[:9])

    def end(self, there):
        for title, n in sorted(self.counts.items(), key=str):
            print('# %6d %s' % (n, title))
        for name in sorted(set(self.listed) - self.seen):
            if name in there:
                ok(False, '%s differs from %s' % (name, self.other))
        ok(None not in self.counts, '%d messages as %s has them, %d that '
           'differ for known reasons' % (self.same, self.other, self.differ))


def shown(server, n):
    """All that is compared of a message."""
    got = server.fetch(n, 'RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY')
    return got


def bytes_of(server, n, items):
    got = {}
    for i in range(0, len(items), 50):
        got.update(server.fetch(n, ' '.join(items[i:i + 50])))
    return got


def whole_messages(got):
    """Header and text of a message in a message are all of its part."""
    for item in got:
        m = re.fullmatch(r'BODY\[(.*)\.HEADER\]', item)
        if m and got[item] + got['BODY[%s.TEXT]' % m.group(1)] != \
                got['BODY[%s]' % m.group(1)]:
            yield item


def against_dovecot(corpus):
    theirs_, ours_ = dovecot(corpus), postern(corpus)
    classes = Classes('Dovecot', DOVECOT_LISTED, RULES)
    bad_text, bad_parts = [], []
    for i, (name, data) in enumerate(corpus):
        a, b = shown(ours_, i + 1), shown(theirs_, i + 1)
        differences = list(envelopes(a['ENVELOPE'], b['ENVELOPE'], ''))
        differences += bodies(a['BODYSTRUCTURE'], b['BODYSTRUCTURE'])
        if a['RFC822.SIZE'] != b['RFC822.SIZE']:
            differences.append(('size', a['RFC822.SIZE'], b['RFC822.SIZE']))
        items = texts(a['BODYSTRUCTURE'])
        a, b = bytes_of(ours_, i + 1, items), bytes_of(theirs_, i + 1, items)
        differences += [(k, a[k], b.get(k)) for k in a if a[k] != b.get(k)]
        classes.message(name, differences)
        if a['BODY[]'] != wire(data):
            bad_text.append(name)
        bad_parts += [name + ' ' + w for w in whole_messages(a)]
    ok(not bad_text, 'BODY[] is the message', bad_text)
    ok(not bad_parts, 'a message fills its part', bad_parts)
    classes.end({n for n, _ in corpus})
    return ours_


FIELDS_LISTED = {
    'a header goes on behind a line that is no field':
        'hostile/no-colon made/mbox-line-quoted made/subject-blank-colon '
        'made/bare-cr-header made/cr-only',
    'no NUL and no line end comes out of a field':
        'hostile/nul made/nul-header made/2047-nul made/2047-line-end '
        'hostile/encoded-words',
    '8-bit fields are UTF-8 where they are valid':
        'hostile/eight-bit-subject made/8bit-utf8 made/address-utf8',
    'broken words stay as they are':
        'enmime/mail-qp-utf8-header-recursed made/2047-no-charset',
    'years of three digits are after 1900, of two digits to 2049 (RFC 5322 '
    '4.3)': 'bounce/smtp32_01 made/date-7 made/date-9',
    'comments in a time, AM and PM': 'made/date-3 made/date-24',
    'days and hours that are none, and their zones':
        'made/date-11 made/date-12 made/date-17',
}


def decoded(value):
    """A field as Python decodes it, with single blanks."""
    text = ''
    try:
        words = email.header.decode_header(value)
    except email.errors.HeaderParseError as e:
        return repr(e)
    for word, charset in words:
        if isinstance(word, bytes):
            try:
                word = word.decode(charset or 'utf-8', 'replace')
            except LookupError:
                word = word.decode('ascii', 'replace')
        text += word
    return ' '.join(re.split('[ \t\r\n]+', text)).strip(' ')


def seconds(message):
    parsed = email.utils.parsedate_tz(str(message.get('Date')))
    try:
        return parsed and str(email.utils.mktime_tz(parsed))
    except (OverflowError, ValueError):
        return None


def fields_of(mailtree, corpus):
    """Dates and decoded fields, beside Python's."""
    classes = Classes('Python', FIELDS_LISTED)
    for (name, data), got in zip(corpus, ours(mailtree, '-f', file_names())):
        message = email.message_from_bytes(data)
        have = dict(line.split(' ', 1) for line in got.decode().splitlines())
        differences = []
        if have.get('date') != seconds(message):
            differences.append(('date', have.get('date'), seconds(message)))
        for field in 'Subject', 'From':
            a = have.get(field)
            if a is not None:
                a = ' '.join(re.split('[ \t]+', bytes.fromhex(
                    a).decode())).strip(' ')
            b = message.get(field)
            b = decoded(b) if b is not None else None
            if a != b and not (b is None and 'unknown' in name):
                differences.append((field, a, b))
        classes.message(name, differences)
    classes.end({n for n, _ in corpus})


def parts_of(data):
    try:
        return theirs(email.message_from_bytes(data))
    except (AttributeError, LookupError, RecursionError, ValueError) as e:
        return [repr(e)]


def file_names():
    return [tmp + '/postern/cur/' + n
            for n in sorted(os.listdir(tmp + '/postern/cur'))]


def large(r):
    """Lines of all lengths near those of the parser's windows."""
    out = b'Content-Type: multipart/mixed; boundary=x\r\n\r\n'
    while len(out) < 3000000:
        out += b'--x\r\nContent-Type: a/b; name=n%d\r\n\r\n' % len(out)
        for _ in range(r.randint(0, 4)):
            out += b'y' * r.choice(WINDOWS) + r.choice(ENDS)
        out += b'\n'
    return out


def from_file(mailtree):
    """What is read piece by piece has the same structure."""
    os.mkdir(tmp + '/large')
    r = random.Random(1)
    paths = file_names()
    for i in range(4):
        paths.append('%s/large/%d' % (tmp, i))
        with open(paths[-1], 'wb') as f:
            f.write(large(r))
    for mode in '-t', '-b':
        ok(ours(mailtree, mode, paths) ==
           ours(mailtree, '-p' + mode[1], paths),
           'from a file as from memory: mailtree %s' % mode)


def against_python(mailtree, corpus):
    classes = Classes('Python', PYTHON_LISTED, PYTHON_RULES)
    paths = file_names()
    for (name, data), got in zip(corpus, ours(mailtree, '-d', paths)):
        a, b = got.decode().rstrip('\n').split('\n'), parts_of(data)
        classes.message(name, [] if a == b else [('tree', a, b)])
    classes.end({n for n, _ in corpus})


def main():
    mailtree, vectors = sys.argv[1:3]
    real, missing = corpuslib.installed()
    corpus = [(n, d) for n, d in real + corpuslib.shipped(vectors) +
              corpuslib.made() if d]
    for package in missing:
        print('# %s is not installed' % package)
    os.chmod(tmp, 0o755)
    if len(real) >= 200:
        ok(True, '%d real messages, %d in all' % (len(real), len(corpus)))
    else:
        print('# only %d real messages' % len(real))
    if os.path.exists(DOVECOT):
        against_dovecot(corpus)
    else:
        print('# dovecot-imapd is not installed')
        fill(maildir('postern'), corpus)
    against_python(mailtree, corpus)
    fields_of(mailtree, corpus)
    from_file(mailtree)


if __name__ == '__main__':
    run(main)
