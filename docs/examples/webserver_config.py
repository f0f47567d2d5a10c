"""FAB with OpenID Connect: copy it to AIRFLOW_HOME, and fill in the provider (docs/operating.md, Login)."""

from flask_appbuilder.const import AUTH_OAUTH

AUTH_TYPE = AUTH_OAUTH
AUTH_USER_REGISTRATION = True
AUTH_USER_REGISTRATION_ROLE = "Public"  # nothing, without one of these groups
AUTH_ROLES_SYNC_AT_LOGIN = True
AUTH_ROLES_MAPPING = {"support": ["User"], "managers": ["Viewer"], "it": ["Admin"]}
OAUTH_PROVIDERS = [
    {
        "name": "company",  # see docs/operating.md before you name it after a product
        "token_key": "access_token",
        "remote_app": {
            "client_id": "…",
            "client_secret": "…",
            "api_base_url": "https://login.company.example/oauth2/v1/",
            "server_metadata_url": "https://login.company.example/.well-known/openid-configuration",
            "client_kwargs": {"scope": "openid profile email groups"},
        },
    }
]
