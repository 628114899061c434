"""Messages as mailtree, Python's email package and IMAP show them."""
import email
import email.header
import re
import subprocess


def ours(mailtree, mode, paths):
    """The output of mailtree, one text for each path."""
    out = subprocess.run([mailtree, mode] + paths,
                         capture_output=True, check=True).stdout
    if len(paths) == 1:
        return [out]
    return re.split(rb'(?m)^== .*\n', out)[1:]


def to_hex(data):
    return data.hex()


def decoded_name(part):
    name = part.get_filename()
    if name is None:
        return '-'
    words = email.header.decode_header(name)
    text = ''
    for word, charset in words:
        if isinstance(word, bytes):
            word = word.decode(charset or 'ascii', 'replace')
        text += word
    return to_hex(text.encode('utf-8', 'surrogateescape'))


def theirs(part, depth=0):
    lines = []
    kind = part.get_content_type()
    children = part.get_payload() if part.is_multipart() else []
    body = ''
    if not children:
        body = to_hex(part.get_payload(decode=True) or b'')
    lines.append(f'{depth} {kind} {decoded_name(part)} {body}')
    for child in children:
        lines += theirs(child, depth + 1)
    return lines


def tokens(data):
    """An IMAP list as lists of bytes; atoms are str, NIL is None."""
    at = 0
    stack = [[]]
    pattern = re.compile(
        rb'([()])|"((?:[^"\\]|\\.)*)"|\{(\d+)\}\r\n|'
        rb'((?:BODY|BINARY)\[[^]]*\]|[^ ()]+)| ', re.S)
    while at < len(data):
        m = pattern.match(data, at)
        at = m.end()
        if m.group(1) == b'(':
            stack.append([])
        elif m.group(1):
            last = stack.pop()
            stack[-1].append(last)
        elif m.group(2) is not None:
            stack[-1].append(re.sub(rb'\\(.)', rb'\1', m.group(2)))
        elif m.group(3):
            stack[-1].append(data[at:at + int(m.group(3))])
            at += int(m.group(3))
        elif m.group(4):
            stack[-1].append(None if m.group(4) == b'NIL'
                             else m.group(4).decode())
    return stack[0]
