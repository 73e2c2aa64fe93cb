"""The forms: comments, accounts, articles."""

from typing import Any

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from .models import Article, Comment

COVER_BYTES_MAX = 2 * 1024 * 1024
COVER_FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}


class CommentForm(forms.ModelForm):
    # People do not see it; programs fill it in.
    website = forms.CharField(required=False, widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}))

    class Meta:
        model = Comment
        fields = ["name", "text"]
        widgets = {"text": forms.Textarea(attrs={"rows": 5, "maxlength": 2000})}
        labels = {"name": "Your name", "text": "Your comment"}

    def clean_website(self) -> str:
        if self.cleaned_data["website"]:
            raise ValidationError("Leave this field empty.")
        return ""


class SignUpForm(UserCreationForm):
    first_name = forms.CharField(max_length=60, label="What shall we call you?")

    class Meta:
        model = User
        fields = ["username", "first_name"]


class CoverForm(forms.ModelForm):
    """For every form that takes a cover, the admin's, too."""

    def clean_cover(self) -> Any:
        """A picture of a kind that cannot carry scripts, named by what it is and not by what it is called."""
        upload = self.cleaned_data["cover"]
        image = getattr(upload, "image", None)  # set by Django when Pillow has read it; an unchanged cover has none
        if image is None:
            return upload
        if upload.size > COVER_BYTES_MAX:
            raise ValidationError(f"At most {COVER_BYTES_MAX // 1024 // 1024} MB.")
        if image.format not in COVER_FORMATS:
            raise ValidationError("A PNG, JPEG or WebP, please.")
        upload.name = f"cover{COVER_FORMATS[image.format]}"
        return upload


class ArticleForm(CoverForm):
    class Meta:
        model = Article
        fields = ["title", "slug", "summary", "body", "tags", "cover", "status", "published_at"]
        widgets = {
            "summary": forms.Textarea(attrs={"rows": 2}),
            "body": forms.Textarea(attrs={"rows": 16}),
            "published_at": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        }
