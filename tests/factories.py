"""Rows for the tests, made the way the project makes them."""

from django.contrib.auth.models import Group, User

from accounts.models import SmtpAccount
from campaigns.models import Campaign, Contact, ContactList
from sending.models import Pacing


def make_account(name: str = "a1", **fields) -> SmtpAccount:
    """An account on a loopback server without TLS; give port, username and password as needed."""
    defaults = {"email": f"{name}@sender.example", "host": "127.0.0.1", "port": 9, "security": "none"}
    return SmtpAccount.objects.create(name=name, **{**defaults, **fields})


def make_list(count: int, name: str = "everybody", prefix: str = "person") -> ContactList:
    """A list of `count` contacts: person1@example.com with first_name Person1, and so on."""
    contacts = Contact.objects.bulk_create(
        Contact(email=f"{prefix}{n}@example.com", attributes={"first_name": f"{prefix.title()}{n}"})
        for n in range(1, count + 1)
    )
    contact_list = ContactList.objects.create(name=name)
    contact_list.contacts.set(contacts)
    return contact_list


def make_campaign(*lists: ContactList, name: str = "News", **fields) -> Campaign:
    """A draft to these lists."""
    campaign = Campaign.objects.create(
        name=name, **{"subject": "Hello {{ first_name }}", "text": "Dear {{ first_name }}", **fields}
    )
    campaign.lists.set(lists)
    return campaign


def set_pace(**knobs) -> Pacing:
    """Knobs that do not slow a test down, but for those given."""
    quick = {"batch_interval": 0.1, "delay": 0, "retry_interval": 0.1}
    Pacing.objects.update_or_create(pk=1, defaults={**quick, **knobs})
    return Pacing.load()


def make_user(*roles: str, name: str = "maria") -> User:
    """Somebody of the staff who has these roles."""
    user = User.objects.create_user(name, is_staff=True)
    for role in roles:
        user.groups.add(Group.objects.get(name=role))
    return user
