# Ruby's net/imap, net/pop and net/smtp against tools/try; prints TAP.
require 'net/imap'
require 'net/pop'
require 'net/smtp'
require 'openssl'
require 'timeout'

HOST = ENV['IMAP_HOST']
ALICE = [ENV['MAIL_USER'], ENV['MAIL_PASS']]
BOB = [ENV['MAIL_USER2'], ENV['MAIL_PASS2']]
CA = { ca_file: ENV['CA_FILE'] }
FOLDER = "R\u00fcby \u2603"
$count = $failures = 0

def ok(good, name)
  $count += 1
  $failures += 1 unless good
  puts "#{good ? 'ok' : 'not ok'} #{$count} - #{name}"
  good
end

def equal(got, wanted, name)
  return if ok(got == wanted, name)
  puts "# got:    #{got.inspect[0, 2000]}", "# wanted: #{wanted.inspect}"
end

def refused(error, name)
  yield
  ok(false, name)
rescue error
  ok(true, name)
end

def port(name)
  ENV["#{name}_PORT"].to_i
end

def context
  OpenSSL::SSL::SSLContext.new.tap do |c|
    c.ca_file = ENV['CA_FILE']
    c.verify_mode = OpenSSL::SSL::VERIFY_PEER
  end
end

def encode(name)
  Net::IMAP.encode_utf7(name)
end

def message(n)
  <<~END.gsub("\n", "\r\n").b
    From: "A. B." <alice@example.test>
    To: bob@example.test
    Subject: =?utf-8?q?R=C3=BCby_#{n}?=
    Date: Wed, 01 Jan 2020 00:00:00 +0000
    Message-ID: <#{n}.ruby@example.test>
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary=b

    --b
    Content-Type: text/plain; charset=utf-8

    #{n} \u00fcber
    ..
    .
    --b
    Content-Type: application/pdf; name="a.pdf"
    Content-Disposition: attachment; filename*=utf-8''%C3%BC.pdf
    Content-Transfer-Encoding: base64

    #{'QUJD' * 18}
    --b
    Content-Type: message/rfc822

    Subject: inner
    From: "x \\"y" <q@r.test>

    hi
    --b--
  END
end

def send_mail
  ways = [['clear', 'SUBMISSION', :plain], ['STARTTLS', 'SUBMISSION', :login],
          ['TLS', 'SMTPS', :plain]]
  ways.each_with_index do |(way, name, mechanism), n|
    s = Net::SMTP.new(HOST, port(name))
    case way
    when 'clear' then s.disable_starttls
    when 'STARTTLS' then s.enable_starttls(context)
    else s.enable_tls(context)
    end
    s.start(helo: 'client.test', user: ALICE[0], secret: ALICE[1],
            authtype: mechanism) do
      s.send_message(message(n), ENV['MAIL_ADDR'], ENV['MAIL_ADDR2'])
    end
    ok(true, "SMTP: #{way}, AUTH #{mechanism.upcase}")
  end
  refused(Net::SMTPAuthenticationError, 'SMTP: a wrong password') do
    Net::SMTP.start(HOST, port('SUBMISSION'), user: ALICE[0],
                    secret: 'wrong', starttls: false, tls: false)
  end
end

def logins
  m = Net::IMAP.new(HOST, port: port('IMAP'))
  m.starttls(CA)
  m.authenticate('PLAIN', *BOB)
  ok(m.capability.include?('IDLE'), 'IMAP: STARTTLS, AUTHENTICATE PLAIN')
  m.logout
  m.disconnect
  m = Net::IMAP.new(HOST, port: port('IMAP'))
  m.authenticate('LOGIN', *BOB)
  ok(m.noop, 'IMAP: clear, AUTHENTICATE LOGIN')
  m.disconnect
  m = Net::IMAP.new(HOST, port: port('IMAPS'), ssl: CA)
  refused(Net::IMAP::NoResponseError, 'IMAP: a wrong password') do
    m.login(BOB[0], 'wrong')
  end
  m.login(*BOB)
  ok(m.noop, 'IMAP: TLS, LOGIN')
  m
end

def folders(m)
  ok(m.create(encode(FOLDER)), 'CREATE')
  refused(Net::IMAP::NoResponseError, 'CREATE of what is there') do
    m.create(encode(FOLDER))
  end
  ok(m.create(encode("#{FOLDER}/\u00c4")), 'CREATE below it')
  box = m.list('', '*').find { |x| x.name == encode(FOLDER) }
  ok(box && box.delim == '/' && box.attr.include?(:Haschildren), 'LIST')
  ok(m.subscribe(encode(FOLDER)), 'SUBSCRIBE')
  equal(m.lsub('', '*').map { |x| Net::IMAP.decode_utf7(x.name) }, [FOLDER],
        'LSUB')
end

def delivered(m)
  Timeout.timeout(30) do
    until m.status('INBOX', ['MESSAGES'])['MESSAGES'] == 3
      sleep 0.05
      m.noop
    end
  end
  m.examine('INBOX')
  3.times do |n|
    got = m.search(['HEADER', 'Message-ID', "<#{n}.ruby@example.test>"])
    body = m.fetch(got, 'BODY.PEEK[]')[0].attr['BODY[]']
    ok(body.end_with?(message(n)), "message #{n} came as it was sent")
  end
end

def reads(m)
  at = Time.at(1_600_000_000)
  code = m.append(encode(FOLDER), message(9), [:Seen, '$ruby'], at).data.code
  equal(code.name, 'APPENDUID', 'APPEND')
  2.times { |n| m.append(encode(FOLDER), "Subject: n#{n}\r\n\r\nb\r\n") }
  m.select(encode(FOLDER))
  equal(m.responses['EXISTS'].last, 3, 'SELECT')
  equal(m.fetch(1, 'BODY.PEEK[]')[0].attr['BODY[]'], message(9), 'FETCH')
  equal(m.fetch(1, 'BODY.PEEK[3.HEADER]')[0].attr['BODY[3.HEADER]'],
        "Subject: inner\r\nFrom: \"x \\\"y\" <q@r.test>\r\n\r\n",
        'FETCH of a part of a part')
  equal(m.uid_fetch(1, 'BODY.PEEK[1]<2.3>')[0].attr['BODY[1]<2>'],
        "\u00fcb".b, 'FETCH of some bytes')
  a = m.fetch(1, %w[UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE])[0].attr
  equal(a.values_at('UID', 'FLAGS', 'INTERNALDATE', 'RFC822.SIZE'),
        [1, [:Seen, '$ruby'], '13-Sep-2020 12:26:40 +0000', message(9).size],
        'FETCH of attributes')
  equal(a['ENVELOPE'].from.map { |x| [x.name, x.mailbox, x.host] },
        [['A. B.', 'alice', 'example.test']], 'ENVELOPE')
  parts = m.fetch(1, 'BODYSTRUCTURE')[0].attr['BODYSTRUCTURE'].parts
  equal(parts.map { |p| [p.media_type, p.subtype] },
        [%w[TEXT PLAIN], %w[APPLICATION PDF], %w[MESSAGE RFC822]],
        'BODYSTRUCTURE')
  equal(m.fetch(1..-1, 'FULL').size, 3, 'FETCH FULL')
end

def changes(m)
  equal(m.search(['SUBJECT', "R\u00fcBY".b], 'UTF-8'), [1], 'SEARCH in UTF-8')
  equal(m.uid_search(['OR', 'SUBJECT', 'n1', 'KEYWORD', '$ruby']), [1, 3],
        'UID SEARCH')
  equal(m.store(2..3, '+FLAGS', %i[Flagged Deleted]).map(&:seqno), [2, 3],
        'STORE')
  equal(m.uid_store(3, '-FLAGS.SILENT', [:Deleted]), nil, 'STORE, silent')
  equal(m.copy(1, 'INBOX').data.code.name, 'COPYUID', 'COPY')
  ok(m.uid_move(1, 'INBOX'), 'MOVE')
  equal(m.responses.delete('EXPUNGE'), [1], 'and it is gone')
  equal(m.expunge, [1], 'EXPUNGE')
  equal(m.uid_search(['ALL']), [3], 'the rest')
  refused(Net::IMAP::NoResponseError, 'COPY to nowhere') { m.copy(1, 'No') }
  equal(m.status('INBOX', %w[MESSAGES UNSEEN]),
        { 'MESSAGES' => 5, 'UNSEEN' => 3 }, 'STATUS')
  ok(m.close, 'CLOSE')
  ok(m.rename(encode(FOLDER), 'Ruby'), 'RENAME')
  equal(m.list('', 'Ruby/%').map(&:name), [encode("Ruby/\u00c4")],
        'what was below it went with it')
  ok(m.delete(encode("Ruby/\u00c4")) && m.delete('Ruby'), 'DELETE')
  ok(m.unsubscribe(encode(FOLDER)), 'UNSUBSCRIBE')
end

def watches(m)
  m.select('INBOX')
  seen = []
  Thread.new do
    other = Net::IMAP.new(HOST, port: port('IMAPS'), ssl: CA)
    other.login(*BOB)
    other.append('INBOX', message(10))
    other.disconnect
  end
  m.idle(20) do |r|
    next unless r.is_a?(Net::IMAP::UntaggedResponse) && r.name == 'EXISTS'
    seen << r.data
    m.idle_done
  end
  equal(seen, [6], 'IDLE tells of a new message')
  m.logout
  m.disconnect
end

def pop
  [[nil, 'POP3'], [OpenSSL::SSL::VERIFY_PEER, 'POP3S']].each do |verify, name|
    verify ? Net::POP3.enable_ssl(verify, ENV['CA_FILE']) : Net::POP3.disable_ssl
    Net::POP3.start(HOST, port(name), *BOB) do |p|
      equal(p.n_mails, verify ? 5 : 6, "#{name}: the number")
      all = p.mails
      equal(all.map(&:length), all.map { |x| x.pop.size }, "#{name}: sizes")
      equal(all.map(&:uidl).uniq.size, all.size, "#{name}: UIDL")
      ok(!all[0].top(0).include?('--b'), "#{name}: TOP")
      all[0].delete
    end
  end
end

send_mail
m = logins
folders(m)
delivered(m)
reads(m)
changes(m)
watches(m)
pop
puts "1..#{$count}"
exit($failures == 0)
