#!/usr/bin/env python
"""Django's own commands: ``manage.py runserver``, ``manage.py seed_blog``."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
