"""SEARCH in text of many charsets and encodings, beside Dovecot; prints TAP.

Usage: search.py VECTORS
"""
import base64
import os
import quopri
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ.get("POSTERN_SRC", "."), "t"))
import corpus  # noqa
import corpuslib  # noqa
from imapd import ok, run, tmp  # noqa

# What is searched for, and the messages of TEXTS that have it.
TEXTS = (
    ('iso-8859-1', 'iso-8859-1', 'Grüße an Jürgen, naïve façade'),
    ('windows-1252', 'iso-8859-1', '“Grüße” – €100'),
    ('utf-8', 'utf-8', 'Straße ÅNGSTRÖM Ελλάδα ΣΊΣΥΦΟΣ'),
    ('koi8-r', 'koi8-r', 'Привет, МИР и мир'),
    ('iso-8859-5', 'iso-8859-5', 'Привет и мир'),
    ('windows-1251', 'windows-1251', 'Ёлка и ЕЩЁ'),
    ('iso-2022-jp', 'iso-2022-jp', '日本語の会議'),
    ('shift_jis', 'shift_jis', '日本語の髙橋'.replace('髙', '高')),
    ('euc-jp', 'euc-jp', '日本語とカタカナ'),
    ('gbk', 'gb2312', '中文信件與朋友'),
    ('big5', 'big5', '中文信件與朋友'),
    ('cp949', 'ks_c_5601-1987', '한국어 편지 뷁'),
    ('utf-7', 'utf-7', 'Grüße £5'),
    ('iso-8859-8', 'iso-8859-8-i', 'שלום לכם'),
    ('iso-8859-9', 'iso-8859-9', 'Işık İstanbul'),
    ('utf-8', 'utf-8', 'ﬁnal ①②③ Ｗｉｄｅ e\u0301tude étude'),
    ('utf-8', 'UTF-8', 'Tiếng Việt ĐẸP ǆ ǅ Ǆ'),
)
WORDS = ('grüße', 'GRÜSSE', 'JÜRGEN', 'jurgen', 'naive', 'façade', '“', '€100',
         'strasse', 'STRASSE', 'ångström', 'Angstrom', 'ελλαδα', 'ΕΛΛΆΔΑ',
         'σίσυφοσ', 'привет', 'МИР', 'ёлка', 'елка', '日本', '会議', '高橋',
         'カタカナ', '朋友', '與', '편지', '뷁', '£5', 'שלום', 'istanbul',
         'IŞIK', 'final', 'FINAL', 'wide', 'étude', 'e\u0301tude', 'ETUDE',
         'tieng', 'TIẾNG VIỆT', 'đẹp', 'ǆ', 'nothing')


def encoded(name, raw, how):
    if how == 'b':
        return b'=?%s?B?%s?=' % (name.encode(), base64.b64encode(raw))
    text = b''.join(bytes([c]) if chr(c).isalnum() and c < 128
                    else b'=%02X' % c for c in raw)
    return b'=?%s?Q?%s?=' % (name.encode(), text)


def messages():
    """Each text in a subject, and in a body in three encodings."""
    for i, (codec, name, text) in enumerate(TEXTS):
        raw = text.encode(codec)
        bodies = (('8bit', raw), ('base64', base64.encodebytes(raw)),
                  ('quoted-printable', quopri.encodestring(raw)))
        for how, body in bodies:
            yield ('%s in %s' % (name, how), b'Subject: body of %d\n'
                   b'MIME-Version: 1.0\nContent-Type: text/plain; charset=%s\n'
                   b'Content-Transfer-Encoding: %s\n\n%s\n' %
                   (i, name.encode(), how.encode(), body))
        for how in 'bq':
            yield ('%s in a header, %s' % (name, how), b'Subject: %s\n'
                   b'From: %s <a@b>\n\nx\n' %
                   ((encoded(name, raw, how),) * 2))


def hits(server, key, word, charset='utf-8'):
    raw = word.encode(charset)
    out = server.raw.cmd(b'search charset %s %s {%d+}\r\n%s' % (
        charset.encode(), key.encode(), len(raw), raw))
    if not out[-1].startswith(b'OK'):
        return out[-1]
    return {int(n) for n in out[0].split()[2:]}


def titles(numbers, those):
    return sorted(those[n - 1][0] for n in numbers)[:8]


# What we find and Dovecot does not: the words, the messages, the reason.
MORE = (
    ('“ €100', 'iso-8859-1 ', 'Latin-1 that is windows-1252'),
    ('與', 'gb2312 ', 'gb2312 that is GBK'),
    ('편지 뷁', 'ks_c_5601-1987 ', 'ks_c_5601 that is UHC'),
    ('שלום', 'iso-8859-8-i ', 'a charset whose name says an order, too'),
    ('final FINAL', 'python/msg_25', 'a multipart without parts is text'),
)


def explained(word, more):
    return any(word in words.split() and all(t.startswith(prefix)
                                             for t in more)
               for words, prefix, _ in MORE)


def ask(ours, theirs, those):
    same = differ = 0
    for word in WORDS:
        for key in 'subject', 'from', 'body', 'text':
            a, b = hits(ours, key, word), hits(theirs, key, word)
            if a == b:
                same += 1
            elif isinstance(a, set) and isinstance(b, set) and a > b and \
                    explained(word, titles(a - b, those)):
                differ += 1
            elif isinstance(a, bytes) or isinstance(b, bytes):
                ok(False, '%s %s' % (key, word), a, b)
            else:
                ok(False, '%s %s' % (key, word), 'ours',
                   titles(a - b, those), 'theirs', titles(b - a, those))
    ok(same > 100, '%d searches as Dovecot answers them, %d that find more' %
       (same, differ))


def finds_all(ours):
    """Every word of every text, in any case, in all its messages."""
    missed = []
    for i, (codec, name, text) in enumerate(TEXTS):
        body = set(range(5 * i + 1, 5 * i + 4))
        head = {5 * i + 4, 5 * i + 5}
        for word in text.split():
            for w in {word, word.upper(), word.title()}:
                if len(w) != len(word):
                    continue  # more than simple case mapping
                for key, want in ('body', body), ('subject', head), \
                        ('from', head), ('text', body | head):
                    if not want <= hits(ours, key, w):
                        missed.append((name, key, w))
    ok(not missed, 'each word is found in its messages', missed)


def charsets(ours):
    for codec, name, text in TEXTS[:12]:
        if codec == name:
            word = text.split()[0]
            ok(hits(ours, 'text', word, codec) == hits(ours, 'text', word),
               'CHARSET ' + name)
    out = ours.raw.cmd('search charset x-none text a')[-1]
    ok(out.startswith(b'NO [BADCHARSET'), 'an unknown charset', out)
    out = ours.raw.cmd('search text {3+}\r\n\xff\xfe\xfd'.encode('latin1'))
    ok(out[-1].startswith(b'OK'), 'bytes that are no text', out)


def main():
    real, _ = corpuslib.installed()
    those = list(messages()) + [
        m for m in real if m[0].startswith('python/')] + [
        m for m in corpuslib.shipped(sys.argv[1]) if m[1]]
    os.chmod(tmp, 0o755)
    theirs = corpus.dovecot(those) if os.path.exists(corpus.DOVECOT) else None
    ours = corpus.postern(list(messages()), 'few')
    finds_all(ours)
    charsets(ours)
    if theirs:
        ask(corpus.postern(those), theirs, those)
    else:
        print('# dovecot-imapd is not installed')


if __name__ == '__main__':
    run(main)
