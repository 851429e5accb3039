#!/usr/bin/python3
"""Django's command line for the demo site. Its settings come from the environment: see classifieds/settings.py."""
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "classifieds.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
