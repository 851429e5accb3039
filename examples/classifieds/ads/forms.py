"""The one form: a listing."""
from django import forms

from ads.models import Listing


class ListingForm(forms.ModelForm):
    class Meta:
        model = Listing
        fields = ["category", "title", "text", "price", "town"]
        widgets = {"text": forms.Textarea(attrs={"rows": 5})}
