"""The processes of one machine: what runs, with which settings, and how it starts and stops.

``make up``, ``make down`` and ``make status`` are this package. ``bootstrap`` needs nothing but
Python and makes the virtual environment; the rest runs inside it. Nothing of clubsync imports it.
"""
