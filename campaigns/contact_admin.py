"""The staff screens of contacts and lists. What may be done with them stands in contact_actions."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.columns import moment_column
from accounts.words import number
from campaigns import contact_actions
from campaigns.contact_forms import ContactForm, ListActionForm, MembershipFormSet
from campaigns.deletion import PlainDeletion
from campaigns.import_admin import may_import
from campaigns.models import Contact, ContactList
from sending import lookup, suppression
from sending.exporting.admin import chosen, respond
from sending.models import Suppression
from sending.paginator import FirstRowsPaginator

MOST_MAILS = 200  # of one person's history
MEMBERS = ContactList.contacts.through


class ImportLinkMixin(PlainDeletion):
    """Tells the list of objects whether to show the link to the import, and whether there is nothing yet."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            **(extra_context or {}),
            "may_import": may_import(request),
            "import_into": _list_id(request),
            "is_empty": not self.model._default_manager.exists(),
        }
        return super().changelist_view(request, context)


class MembershipInline(admin.TabularInline):
    model = MEMBERS
    verbose_name = _("list")
    verbose_name_plural = _("lists")
    autocomplete_fields = ["contactlist"]
    extra = 0
    formset = MembershipFormSet


@admin.register(Contact)
class ContactAdmin(ImportLinkMixin):
    form = ContactForm
    action_form = ListActionForm
    list_display = ["email", "name", "created"]
    created = moment_column("created_at", _("created"))
    list_filter = ["lists"]
    search_fields = ["email", "name"]
    search_help_text = _("Words of the address or the name, from their start.")
    fields = ["email", "name", "attributes"]
    inlines = [MembershipInline]
    actions = ["add_to_list", "remove_from_list", "export"]
    paginator = FirstRowsPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_form_template = "admin/campaigns/contact/change_form.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        return contact_actions.search(queryset, search_term), False

    def get_urls(self) -> list[URLPattern]:
        def at(step: str, view: Any) -> URLPattern:
            view = self.admin_site.admin_view(require_POST(view))
            return path(f"<int:pk>/{step}/", view, name=f"campaigns_contact_{step}")

        return [
            at("suppress", self.suppress_view),
            at("unsuppress", self.unsuppress_view),
            *super().get_urls(),
        ]

    # --- One person ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The form, and below it what was sent to the address and whether it is suppressed."""
        context = {**(extra_context or {}), **self._person(request, self.get_object(request, object_id))}
        return super().change_view(request, object_id, form_url, context)

    def _person(self, request: HttpRequest, contact: Contact | None) -> dict[str, Any]:
        if contact is None:
            return {}
        mails = lookup.history_of(contact.email, MOST_MAILS + 1)
        return {
            "mails": mails[:MOST_MAILS],
            "has_more_mails": len(mails) > MOST_MAILS,
            "suppression": suppression.suppression_of(contact.email),
            "may_suppress": request.user.has_perm("sending.add_suppression"),
            "may_unsuppress": request.user.has_perm("sending.delete_suppression"),
        }

    def suppress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Puts the contact's address onto the suppression list."""
        contact = self._chosen(request, pk, "sending.add_suppression")
        if suppression.suppress(contact.email, Suppression.Reason.MANUAL, source=str(request.user)):
            self.log_change(request, contact, gettext("Suppressed"))
        self.message_user(request, gettext("No more mail goes to %s.") % contact.email, messages.SUCCESS)
        return _to_contact(contact)

    def unsuppress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Takes the contact's address off the suppression list."""
        contact = self._chosen(request, pk, "sending.delete_suppression")
        if suppression.unsuppress(contact.email):
            self.log_change(request, contact, gettext("Taken off the suppression list"))
        told = gettext("Mail may go to %s again: what waits for it in the queue goes out.") % contact.email
        self.message_user(request, told, messages.SUCCESS)
        return _to_contact(contact)

    def _chosen(self, request: HttpRequest, pk: int, permission: str) -> Contact:
        contact = self.get_object(request, str(pk))
        if contact is None or not self.has_view_permission(request, contact):
            raise PermissionDenied
        if not request.user.has_perm(permission):
            raise PermissionDenied
        return contact

    # --- Many ---

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without those on lists for who may not change lists; taking off needs a list that is chosen."""
        actions = super().get_actions(request)
        may_change_lists = request.user.has_perm("campaigns.change_contactlist")
        if not may_change_lists:
            actions.pop("add_to_list", None)
        if not may_change_lists or not _list_id(request):
            actions.pop("remove_from_list", None)
        return actions

    @admin.action(description=_("Add to the list chosen here"))
    def add_to_list(self, request: HttpRequest, contacts: QuerySet[Contact]) -> None:
        """Adds to the list that is chosen beside the action."""
        chosen = ContactList.objects.filter(pk=_number(request.POST.get("to_list"))).first()
        if chosen is None:
            self.message_user(request, gettext("Choose the list beside the action."), messages.ERROR)
            return
        count = contact_actions.add_to_list(contacts, chosen)
        self.log_change(
            request, chosen, ngettext("Added %s contact", "Added %s contacts", count) % number(count)
        )
        told = ngettext(
            "Added %(count)s contact to “%(list)s”.", "Added %(count)s contacts to “%(list)s”.", count
        )
        self.message_user(request, told % {"count": number(count), "list": chosen}, messages.SUCCESS)

    @admin.action(description=_("Take off this list"))
    def remove_from_list(self, request: HttpRequest, contacts: QuerySet[Contact]) -> None:
        """Takes off the list whose contacts are shown."""
        shown = ContactList.objects.get(pk=_list_id(request) or 0)
        count = contact_actions.remove_from_list(contacts, shown)
        self.log_change(
            request, shown, ngettext("Removed %s contact", "Removed %s contacts", count) % number(count)
        )
        told = ngettext(
            "Took %(count)s contact off “%(list)s”.", "Took %(count)s contacts off “%(list)s”.", count
        )
        self.message_user(request, told % {"count": number(count), "list": shown}, messages.SUCCESS)

    @admin.action(description=_("Export as CSV"), permissions=["view"])
    def export(self, request: HttpRequest, contacts: QuerySet[Contact]) -> HttpResponseBase:
        """Downloads the chosen contacts with all merge fields."""
        known = {"lists__id__exact": "list", "lists__isnull": "listless", "q": "words"}
        wanted = chosen(request, contacts, known)
        return respond(request, "contacts", wanted, title=gettext("Contacts"), filename="contacts.csv")


@admin.register(ContactList)
class ContactListAdmin(ImportLinkMixin):
    list_display = ["name", "contact_count", "used_by", "created"]
    created = moment_column("created_at", _("created"))
    search_fields = ["name"]
    # Its contacts would be one option each in a select; they are shown by the contacts' own filter.
    fields = ["name", "contact_count", "used_by", "shortcuts"]
    readonly_fields = ["contact_count", "used_by", "shortcuts"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContactList]:
        """Counted for each list that is shown, by the index of its members."""
        members = MEMBERS.objects.filter(contactlist=OuterRef("pk")).order_by().values("contactlist")
        total = Coalesce(Subquery(members.values_list(Count("pk"))), 0)
        return super().get_queryset(request).annotate(contact_total=total).prefetch_related("campaigns")

    def get_fields(self, request: HttpRequest, obj: ContactList | None = None) -> Any:
        """Nothing to show yet of a list that is being added."""
        return ["name"] if obj is None else ["name", "contact_count", "used_by", "shortcuts"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("<int:pk>/export/", view, name="campaigns_contactlist_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Downloads the contacts of a list."""
        contact_list = get_object_or_404(ContactList, pk=pk)
        title = gettext("Contacts of %s") % contact_list
        return respond(request, "contacts", {"list": pk}, title=title, filename=f"list-{pk}.csv")

    @admin.display(description=_("contacts"), ordering="contact_total")
    def contact_count(self, contact_list: ContactList) -> str:
        total = contact_list.contact_total  # type: ignore[attr-defined]
        return format_html('<a href="{}">{}</a>', _contacts_url(contact_list), number(total))

    @admin.display(description=_("used by campaigns"))
    def used_by(self, contact_list: ContactList) -> str:
        links = (
            (reverse("admin:campaigns_campaign_change", args=[campaign.pk]), campaign)
            for campaign in contact_list.campaigns.all()
        )
        told = format_html_join(", ", '<a href="{}">{}</a>', links)
        return format_html("<span>{}</span>", told or gettext("none"))

    @admin.display(description=_("what you can do"))
    def shortcuts(self, contact_list: ContactList) -> str:
        links = (
            (_contacts_url(contact_list), gettext("Search and remove contacts")),
            (f"{reverse('admin:campaigns_import_add')}?list={contact_list.pk}", gettext("Add contacts")),
        )
        export = reverse("admin:campaigns_contactlist_export", args=[contact_list.pk])
        # A button of the page's form: a large export is a row that a worker takes, so no matter of GET.
        button = format_html(
            '<button class="button-link" formmethod="post" formnovalidate formaction="{}">{}</button>',
            export,
            gettext("Export as CSV"),
        )
        return format_html_join("", '<a href="{}">{}</a> · ', links) + button


def _contacts_url(contact_list: ContactList) -> str:
    return f"{reverse('admin:campaigns_contact_changelist')}?lists__id__exact={contact_list.pk}"


def _to_contact(contact: Contact) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:campaigns_contact_change", args=[contact.pk]))


def _list_id(request: HttpRequest) -> int | None:
    """The list whose contacts are shown."""
    return _number(request.GET.get("lists__id__exact")) or None


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
