"""Compares mailtree's view of messages with Python's; prints TAP.

Usage: mime.py MAILTREE VECTORS SCRATCH

Python's package is a second opinion, not the law.  Where we differ on
purpose the message is listed in DIFFERENT with the reason; one that is
listed and does not differ is an error, too.
"""
import email
import email.utils
import os
import random
import re
import sys

from mimelib import ours, theirs, tokens

DIFFERENT = {
    'report': 'we do not take message/delivery-status apart; IMAP has no '
              'structure for it',
    'hostile/bare-multipart-type': 'a type without subtype; we take it for '
                                   'multipart/mixed',
    'hostile/base64-message': 'RFC 2046 5.2.1 forbids it; to us it is bytes',
    'hostile/boundary-never': 'a multipart without parts is text, so that '
                              'it can be read',
    'hostile/empty-multipart': 'the same',
    'hostile/no-boundary-param': 'the same',
    'hostile/empty-parts': 'Python drops a part that has not one line',
    'hostile/folded-boundary': 'Python does not unfold a quoted boundary',
    'hostile/message-external': 'we show what RFC 3501 has a form for',
    'hostile/message-partial': 'the same',
    'hostile/no-colon': 'Python ends the header at a line without a colon; '
                        'we pass over it, as a broken fold is more likely',
    'hostile/no-final-boundary': 'Python drops the last line end',
    'hostile/no-semicolon': 'Python takes the parameter into the subtype',
    'hostile/odd-type': 'a word that is no type; to us it is bytes',
    'hostile/rfc2231-gap': 'Python joins sections across a gap',
    'hostile/same-boundary': 'two levels with one boundary; to us the inner '
                             'one is closed first',
    'hostile/type-comments': 'Python does not pass over comments',
}

mailtree, vectors, scratch = sys.argv[1:4]
count = failed = 0


def ok(good, name, *notes):
    global count, failed
    count += 1
    failed += not good
    print('ok' if good else 'not ok', count, '-', name)
    if not good:
        for note in notes:
            for line in str(note).split('\n'):
                print('#', line[:400])


def compare(name, path, got):
    with open(path, 'rb') as f:
        raw = f.read()
    want = theirs(email.message_from_bytes(raw))
    lines = got.decode().rstrip('\n').split('\n')
    if name in DIFFERENT:
        ok(lines != want, f'{name} differs: {DIFFERENT[name]}')
        return
    ok(lines == want, name, 'ours:', '\n'.join(lines), 'theirs:',
       '\n'.join(want))


def with_crlf(path):
    with open(path, 'rb') as f:
        raw = f.read()
    out = os.path.join(scratch, 'crlf-' + os.path.basename(path))
    with open(out, 'wb') as f:
        f.write(raw.replace(b'\n', b'\r\n'))
    return out


def corpus():
    files = []
    for top, _, names in sorted(os.walk(vectors)):
        for name in sorted(names):
            path = os.path.join(top, name)
            files.append((os.path.relpath(path, vectors)[:-4], path))
    return files


# Generated messages: trees of parts as mail programs write them, and with
# some of the faults they have.

def words(r, n):
    return ' '.join(r.choice(['alpha', 'beta', '-- ', '--', 'From x', '=3D',
                              'caf\u00e9', '>', 'gamma:', '--b']) for _ in
                    range(n))


def leaf(r):
    kind = r.choice(['text/plain', 'text/html', 'Application/PDF',
                     'image/png', 'TEXT/x-Thing'])
    text = '\n'.join(words(r, r.randint(0, 9))
                     for _ in range(r.randint(0, 6))).encode()
    head = [f'Content-Type: {kind}' + r.choice(
        ['', '; charset=utf-8', ';\n\tname="a b.txt"', '; name=x.bin',
         ';\n name*0="long";\n name*1=".txt"',
         "; name*=utf-8''%C3%A4.txt", ' ; NAME = "q\\"q"'])]
    if r.random() < .3:
        head = []
    if r.random() < .3:
        import base64
        head.append('Content-Transfer-Encoding: base64')
        text = base64.encodebytes(text)
    elif r.random() < .3:
        import quopri
        head.append('content-transfer-encoding:  Quoted-Printable')
        text = quopri.encodestring(text)
    r.shuffle(head)
    return ''.join(h + '\n' for h in head).encode() + b'\n' + text


def node(r, depth, inside=False):
    x = r.random()
    if depth > 5 or x < .45:
        return leaf(r)
    if x < .6:
        return (b'Content-Type: message/rfc822\n\nSubject: in\nFrom: a@b\n' +
                node(r, depth + 1, inside))
    boundary = r.choice(['b%d' % r.randint(0, 99), '----=_%x' % r.getrandbits(
        64), "'()+_,-./:=?", 'x y z']) + '=%d' % depth
    out = (f'Content-Type: multipart/{r.choice(["mixed", "related"])};\n'
           f' boundary="{boundary}"\n\n').encode()
    out += r.choice([b'', b'preamble\n', b'\n'])
    mark = boundary.encode()
    for _ in range(r.randint(1, 4)):
        out += b'--' + mark + r.choice([b'', b'', b' ', b'\t ']) + b'\n'
        out += node(r, depth + 1, True) + b'\n'
    if not inside or r.random() < .85:
        out += b'--' + mark + b'--' + r.choice([b'', b' ']) + b'\n'
        out += r.choice([b'', b'\n', b'epilogue\n'])
    return out


def generated():
    files = []
    r = random.Random(42)
    for i in range(200):
        raw = b'From: a@b\nSubject: %d\nMIME-Version: 1.0\n' % i + node(r, 0)
        if r.random() < .3:
            raw = raw.replace(b'\n', b'\r\n')
        path = os.path.join(scratch, 'generated-%d.eml' % i)
        with open(path, 'wb') as f:
            f.write(raw)
        files.append(('generated %d' % i, path))
    return files


# Addresses, as ENVELOPE has them.

def compare_addresses(name, path, got):
    with open(path, 'rb') as f:
        message = email.message_from_bytes(f.read())
    envelope = tokens(got)[0]
    for field, at in (('from', 2), ('to', 5), ('cc', 6)):
        fields = [str(v) for v in message.get_all(field, [])]
        want = [(re.sub(r'\s+', ' ', n), a)
                for n, a in email.utils.getaddresses(fields) if a]
        have = [((a[0] or b'').decode('utf-8', 'replace'),
                 (a[2] + b'@' + a[3]).decode('utf-8', 'replace'))
                for a in envelope[at] or [] if a[3] is not None]
        ok(have == want, f'{name}: {field}', have, want)


def main():
    files = corpus()
    paths = [path for _, path in files]
    for (name, path), got in zip(files, ours(mailtree, '-d', paths)):
        compare(name, path, got)
    made = generated()
    for (name, path), got in zip(made, ours(mailtree, '-d', [p for _, p in made])):
        compare(name, path, got)
    stored = ours(mailtree, '-b', paths)
    wire = ours(mailtree, '-b', [with_crlf(path) for path in paths])
    for (name, _), a, b in zip(files, stored, wire):
        ok(a == b, f'{name}: the same structure with CRLF', a, b)
    plain = [f for f in files if '/' not in f[0] and f[0] != 'groups']
    for (name, path), got in zip(plain, ours(mailtree, '-e', [p for _, p in plain])):
        compare_addresses(name, path, got.rstrip(b'\n'))
    print(f'1..{count}')
    return failed != 0


sys.exit(main())
