# One backend for the whole session, the quickest to start; and none of the libraries' start-up talk.
withr::local_envvar(
  KERAS_BACKEND = Sys.getenv("KERAS_BACKEND", "jax"),
  TF_CPP_MIN_LOG_LEVEL = "3",
  JAX_PLATFORMS = "cpu",
  .local_envir = teardown_env()
)
