"""What every connector is written with: canonical model, HTTP, files, paging, fields and forms.

An ERP's module imports this package only, never another ERP's (checked by import-linter).
"""
