"""How long each phase of a conversation may take: the one table.

RFC 5321 section 4.5.3.2 asks a client to wait longer: 5 minutes for the greeting, MAIL and RCPT, 2 for
DATA, 3 for each block of the message, 10 for the answer to the final dot. Ours are shorter, since a
batch belongs to its worker by a lease, and the mail of a worker that died waits for the lease's end.
A server that is too slow before the dot costs a later attempt at most. The answer to the dot is the
dearest to miss: it makes an uncertain mail (RFC 1047), so it has the longest time, and its own.
"""

from accounts.phases import Phase

# In units of settings.SMTP_TIMEOUT, whose default is 20 s.
# One step of each phase: connecting, a command and its reply, a piece of the message.
STEPS = {
    Phase.CONNECT: 1.0,
    Phase.TLS: 1.0,
    Phase.AUTH: 1.0,
    Phase.MAIL: 1.0,
    Phase.RCPT: 1.5,  # many servers look the address up, or ask the recipient's server
    Phase.DATA: 1.0,
    Phase.DOT: 3.0,
}
OPENING = 1.5  # connect, tls and auth together
MESSAGE = 3.0  # a mail up to its dot
RESET = 0.5  # RSET after a refusal: where it takes longer, a new connection is cheaper
QUIT = 0.25
# Seconds of a look for a lost connection before the dot; as long as DATA took, where that was shorter.
MOST_LINGERING = 0.25


def up_to_dot(unit: float) -> float:
    """Seconds that one mail has from opening to its final dot, however many sessions it takes."""
    return unit * (OPENING + MESSAGE)


def slowest_mail(unit: float) -> float:
    """Seconds that one mail takes at most, opening and clearing up included. unit: SMTP_TIMEOUT."""
    return up_to_dot(unit) + unit * (STEPS[Phase.DOT] + RESET)
