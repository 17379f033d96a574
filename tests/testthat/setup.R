# Use one backend for the whole session, the quickest to start. Silence the libraries' start-up messages.
withr::local_envvar(
  KERAS_BACKEND = Sys.getenv("KERAS_BACKEND", "jax"),
  TF_CPP_MIN_LOG_LEVEL = "3",
  JAX_PLATFORMS = "cpu",
  .local_envir = teardown_env()
)
