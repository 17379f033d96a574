# The credentials of the test server. No other text has these, so that a test can search for them.
store_key <- "AKIAREKINDLETESTKEYR"
store_secret <- "rekindle-test-secret/that+nothing+may+print"

# Starts a server of S3 with the bucket `rekindle-tests` for the rest of the test. Returns its endpoint.
s3_server <- function(env = parent.frame()) {
  testthat::skip_on_cran()
  testthat::skip_if_not_installed("processx")
  testthat::skip_if_not(
    reticulate::py_module_available("moto.server") && reticulate::py_module_available("obstore"),
    "the Python of RETICULATE_PYTHON lacks moto with its server, or obstore"
  )
  process <- processx::process$new(
    Sys.getenv("RETICULATE_PYTHON"), c(testthat::test_path("object-store.py"), "rekindle-tests"),
    stdin = "|", stdout = "|", stderr = NULL
  )
  withr::defer(process$kill(), envir = env)
  port <- character()
  while (length(port) == 0 && process$is_alive()) {
    process$poll_io(1000)
    port <- process$read_output_lines(1)
  }
  paste0("http://127.0.0.1:", port)
}

store_options <- function(endpoint) {
  list(access_key_id = store_key, secret_access_key = store_secret, region = "us-east-1", endpoint = endpoint)
}

store_variables <- function(endpoint) {
  c(
    AWS_ACCESS_KEY_ID = store_key, AWS_SECRET_ACCESS_KEY = store_secret, AWS_REGION = "us-east-1",
    AWS_ENDPOINT_URL = endpoint
  )
}

# All objects in the bucket, by name, as text without zero bytes.
objects_in <- function(endpoint) {
  code <- "
def objects_in(config):
    import obstore
    from obstore.store import S3Store
    client = {'allow_http': 'true'}
    store = S3Store('rekindle-tests', config=config, client_options=client)
    found = [one['path'] for batch in obstore.list(store) for one in batch]
    text = lambda name: bytes(obstore.get(store, name).bytes()).replace(b'\\0', b'').decode('latin-1')
    return {name: text(name) for name in found}
"
  reticulate::py_run_string(code, local = TRUE)$objects_in(store_options(endpoint))
}
