"""The models: the counsellor, the router, the crisis screen."""
