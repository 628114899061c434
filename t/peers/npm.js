// imapflow and nodemailer against tools/try, whose variables are in the
// environment; prints TAP.
'use strict';
const fs = require('fs');
const { ImapFlow } = require('imapflow');
const nodemailer = require('nodemailer');

const env = process.env;
const ca = fs.readFileSync(env.CA_FILE);
let count = 0;

function ok(good, what) {
	console.log(`${good ? 'ok' : 'not ok'} ${++count} - ${what}`);
	if (!good)
		process.exitCode = 1;
}

function is(got, wanted, what) {
	const same = JSON.stringify(got) === JSON.stringify(wanted);
	ok(same, what);
	if (!same)
		console.log(`# got ${JSON.stringify(got)}, ` +
		    `wanted ${JSON.stringify(wanted)}`);
}

function transport(port, secure, pass) {
	return nodemailer.createTransport({ host: env.IMAP_HOST, port: +port,
		secure, requireTLS: !secure, tls: { ca }, pool: pass === undefined,
		auth: { user: env.MAIL_USER2, pass: pass || env.MAIL_PASS2 } });
}

function letter(subject, more) {
	return { from: env.MAIL_ADDR2, to: env.MAIL_ADDR, subject, text: 'x',
		...more };
}

const attachment = Buffer.alloc(3000000, 'postern');
const subject = 'Grüße → 日本語, so lang, dass die Zeile gefaltet werden muss';

async function send() {
	const starttls = transport(env.SUBMISSION_PORT, false);
	const info = await starttls.sendMail(letter(subject, {
		html: '<b>x</b>',
		attachments: [{ filename: 'ünïcode name.bin',
			content: attachment }] }));

	ok(/^250 2\.0\.0/.test(info.response), 'nodemailer with STARTTLS');
	starttls.close();
	const tls = transport(env.SMTPS_PORT, true);
	const all = await Promise.all([...Array(20).keys()].map(
	    (i) => tls.sendMail(letter(`mail ${i}`))));

	ok(all.every((i) => i.accepted.length === 1), 'twenty at once with TLS');
	await tls.sendMail(letter('nobody', { to: `nobody@${env.MAIL_DOMAIN}` }))
	    .then(() => ok(false, 'an unknown recipient'),
		(e) => is(e.responseCode, 550, 'an unknown recipient'));
	tls.close();
	await transport(env.SMTPS_PORT, true, 'wrong').sendMail(letter('bad'))
	    .then(() => ok(false, 'a wrong password'),
		(e) => is(e.responseCode, 535, 'a wrong password'));
}

function client(port, secure, pass = env.MAIL_PASS) {
	return new ImapFlow({ host: env.IMAP_HOST, port: +port, secure,
		tls: { ca }, auth: { user: env.MAIL_USER, pass }, logger: false });
}

async function until(condition) {
	for (let i = 0; i < 200; i++) {
		if (await condition())
			return true;
		await new Promise((r) => setTimeout(r, 50));
	}
	return false;
}

async function read(c) {
	ok(await until(async () =>
		(await c.status('INBOX', { messages: true })).messages >= 22),
	    'all arrive');
	await c.mailboxOpen('INBOX');
	const [uid] = await c.search({ subject: '日本語' }, { uid: true });
	const m = await c.fetchOne(uid, { envelope: true, bodyStructure: true,
		flags: true, size: true, internalDate: true }, { uid: true });
	const part = m.bodyStructure.childNodes[1];

	is(m.envelope.subject, subject, 'the subject in ENVELOPE');
	is(m.envelope.from[0].address, env.MAIL_ADDR2, 'the sender');
	is(part.dispositionParameters.filename, 'ünïcode name.bin',
	    'the name of the attachment in BODYSTRUCTURE');
	ok(Math.abs(Date.now() - m.internalDate) < 3600000, 'INTERNALDATE');
	const { content } = await c.download(uid, part.part, { uid: true });
	const pieces = [];

	for await (const piece of content)
		pieces.push(piece);
	ok(attachment.equals(Buffer.concat(pieces)), 'the attachment');
	const { content: whole } = await c.download(uid, undefined,
	    { uid: true });
	let n = 0;

	for await (const piece of whole)
		n += piece.length;
	is(n, m.size, 'the whole message has the size that was told');
	return uid;
}

async function change(c, uid) {
	const box = 'Späm/Ünter';

	await c.messageFlagsAdd(uid, ['\\Seen', '$Label1', 'custom'],
	    { uid: true });
	is(await c.search({ keyword: 'custom', seen: true }, { uid: true }),
	    [uid], 'flags and keywords');
	ok((await c.mailboxCreate(box)).created, 'CREATE');
	const copied = await c.messageCopy('1:5', box);
	const moved = await c.messageMove('1:5', box);

	is([...copied.uidMap.values(), ...moved.uidMap.values()],
	    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 'COPY and MOVE tell the new UIDs');
	ok((await c.list()).some((l) => l.path === box), 'LIST');
	await c.mailboxRename(box, 'Archive');
	is((await c.list()).find((l) => l.path === 'Archive').specialUse,
	    '\\Archive', 'RENAME, and the role by the name');
	const added = await c.append('Archive', 'Subject: d\r\n\r\nbody\r\n',
	    ['\\Draft'], new Date('2001-02-03T04:05:06Z'));
	await c.mailboxOpen('Archive');
	const m = await c.fetchOne(added.uid,
	    { flags: true, internalDate: true }, { uid: true });

	ok(m.flags.has('\\Draft') && m.internalDate.getTime() ===
	    Date.parse('2001-02-03T04:05:06Z'), 'APPEND with flag and date');
	ok(await c.messageDelete('1:*') && c.mailbox.exists === 0, 'EXPUNGE');
	await c.mailboxOpen('INBOX');
	await c.mailboxDelete('Archive');
	ok(!(await c.list()).some((l) => l.path === 'Archive'), 'DELETE');
}

async function idle(c) {
	const news = new Promise((r) => c.once('exists', r));
	const sender = transport(env.SUBMISSION_PORT, false);

	c.idle();
	await sender.sendMail(letter('news'));
	sender.close();
	const { count: now, prevCount: before } = await news;

	is(now, before + 1, 'IDLE tells of new mail');
}

async function main() {
	await send();
	const tls = client(env.IMAPS_PORT, true);

	await tls.connect();
	const uid = await read(tls);

	await change(tls, uid);
	await idle(tls);
	await tls.logout();
	const starttls = client(env.IMAP_PORT, false);

	await starttls.connect();
	ok(starttls.secureConnection && starttls.authenticated,
	    'imapflow with STARTTLS');
	await starttls.logout();
	await client(env.IMAPS_PORT, true, 'wrong').connect()
	    .then(() => ok(false, 'a wrong password'),
		(e) => ok(e.authenticationFailed, 'a wrong password'));
	console.log(`1..${count}`);
}

main().catch((e) => {
	console.log(`Bail out! ${e.stack}`);
	process.exit(1);
});
