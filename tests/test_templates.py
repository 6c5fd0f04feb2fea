"""Every template can be read: with the tags and filters that it loads itself."""

import pytest
from django.conf import settings
from django.template.loader import get_template

FOLDER = settings.BASE_DIR / "templates"


@pytest.mark.parametrize("name", sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.html")))
def test_a_template_has_no_error(name: str) -> None:
    assert get_template(name).template.name == name
