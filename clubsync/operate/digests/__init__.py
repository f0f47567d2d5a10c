"""R31: a club learns by itself what to fix: a digest to its contact, at most once a day, only when something changed.

- `content`: what it tells, from the findings of now and those of the last digest.
- `letter`: its words, as HTML and as text, in the club's language.
- `mail` and `services`: how it is sent, by SMTP or by Apprise.
- `outbox`: when; what was sent, what failed and is tried again.

**At least once.** A digest is a row before it is sent, and its end is noted after. Who is killed in between leaves a
row of which nobody knows whether it arrived: it is sent once more, with the same Message-ID, so that mail servers and
mailboxes that look at it keep one. After a second such attempt it is given up, and the next day's tells all of it.
"""
