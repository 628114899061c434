/* The README of the mount. */
#include "fs.h"

struct span
readme_text(void)
{
	static const char text[] =
	    "This is your mail.\n"
	    "\n"
	    "Every folder is a mailbox, every file a message:\n"
	    "\n"
	    "  2026-11-23_0320_Alice-Example_Lunch-on-Friday.0t3m9q4xk2zr.txt\n"
	    "\n"
	    "Date and time are those of its arrival, in UTC; then who sent it\n"
	    "and about what; then its id, which never changes.  A .txt file "
	    "is\n"
	    "the message as text to be read.\n"
	    "\n"
	    "  ls INBOX                    the messages, oldest first\n"
	    "  cat INBOX/@last.txt         the newest\n"
	    "  cat INBOX/0t3m9q4xk2zr.txt  by id alone; @17.txt is UID 17,\n"
	    "                              @-2.txt the last but one\n"
	    "  grep -rl invoice INBOX      search; it marks nothing as read\n"
	    "  ls -l INBOX                 x: flagged; sizes are exact\n"
	    "  [ -N FILE ]                 true if unread (atime before "
	    "mtime)\n"
	    "\n"
	    "Not listed, and there by name:\n"
	    "\n"
	    "  .eml/INBOX/...eml           the exact bytes of the message\n"
	    "  INBOX/...eml, INBOX/...hdr  the same; its header, decoded\n"
	    "  .msg/INBOX/...ID/           a folder for each message: from, "
	    "to,\n"
	    "                              subject, body, html, flags, and "
	    "more;\n"
	    "                              attach/ holds the attachments, 1/ "
	    "2/\n"
	    "                              its parts\n"
	    "  .msg/ID/                    the same by id alone\n"
	    "\n"
	    "To keep a copy of your mail, copy .eml.  Nothing can be changed\n"
	    "here: the mount is read only.  postern-mailfs(1) says more.\n";

	return span_of(text, sizeof text - 1);
}
