"""What every connector is written with: canonical model, HTTP, files, paging, fields and forms.

An ERP's module imports only this package, never another ERP's (checked by import-linter).
"""
