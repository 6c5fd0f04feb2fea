"""What a real SMTP server receives of a composed mail."""

import email
from email.policy import default

import pytest

from campaigns.actions import queue_campaign
from campaigns.models import Attachment
from config.demo.smtp_server import LocalSmtpServer, Received
from sending.dispatch import dispatch
from sending.models import Batch, QueuedEmail
from sending.sender import send_batch
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = pytest.mark.django_db


def received(address: str, **attributes: object) -> Received:
    """Sends one mail of a campaign with HTML and an attachment to this address."""
    everybody = make_list(0)
    everybody.contacts.create(email=address, name="Jürgen, Käufer", attributes=attributes)
    campaign = make_campaign(
        everybody,
        subject="Grüße, {{ first_name }}",
        html="<p>Hallo <b>{{ first_name }}</b></p>\n.\n",
        text="",
    )
    Attachment.objects.create(
        campaign=campaign,
        filename="Übersicht.pdf",
        content_type="application/pdf",
        content=b"%PDF\r\n.\r\n\x00",
    )
    with LocalSmtpServer({"a1": "secret"}) as server:
        set_pace()
        make_account(
            port=server.port,
            username="a1",
            password="secret",
            from_name="Acme, Inc.",
            reply_to="re@acme.example",
        )
        queue_campaign(campaign)
        dispatch()
        send_batch(Batch.objects.get().pk)
        assert [mail.status for mail in QueuedEmail.objects.all()] == ["sent"]
        (message,) = server.received
        return message


def test_the_letter_arrives_whole() -> None:
    message = email.message_from_bytes(received("j@example.com", first_name="Jürgen").raw, policy=default)
    assert message["Subject"] == "Grüße, Jürgen"
    assert message["From"].addresses[0].display_name == "Acme, Inc."
    assert message["To"].addresses[0].display_name == "Jürgen, Käufer"
    assert message["Reply-To"] == "re@acme.example"
    assert message["Message-ID"] == QueuedEmail.objects.get().message_id
    assert "<b>Jürgen</b>" in message.get_body(("html",)).get_content()
    assert message.get_body(("plain",)).get_content().startswith("Hallo Jürgen")
    (attachment,) = message.iter_attachments()
    assert attachment.get_filename() == "Übersicht.pdf"
    assert attachment.get_content() == b"%PDF\r\n.\r\n\x00"


def test_the_envelope_and_the_header_name_the_same_domain() -> None:
    """IDNA 2003 would make strasse.example of it: somebody else's domain (RFC 5891)."""
    mail = received("j@straße.example")
    assert mail.rcpt == "j@xn--strae-oqa.example"
    assert email.message_from_bytes(mail.raw, policy=default)["To"].addresses[0].addr_spec == mail.rcpt
