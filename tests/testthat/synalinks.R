# A training of a program of Synalinks, driven from R, with state in R. This is not a test:
# test-callback-in-synalinks-fit.R kills it and runs it again.
#
#   Rscript synalinks.R BACKUP_DIR RESULT_FILE LOG KILL_AT
#
# A function stands for the language model. It writes a line into LOG for each call, and kills the process in
# the call of the number KILL_AT. With 0, it never kills the process.

args <- commandArgs(trailingOnly = TRUE)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))

library(rekindle)

synalinks <- reticulate::import("synalinks")
asyncio <- reticulate::import("asyncio")
np <- reticulate::import("numpy", convert = FALSE)
answering <- reticulate::import_from_path("answering", dirname(normalizePath(script)))
answering$install(args[[3]], as.integer(args[[4]]))

# Synalinks reads the fields of a data model from a class of Python.
models <- reticulate::py_run_string("
import synalinks

class Query(synalinks.DataModel):
    query: str

class Answer(synalinks.DataModel):
    rationale: str
    answer: str
")

set.seed(7)
synalinks$set_seed(7L)
model <- synalinks$LanguageModel(model = "ollama/mistral", retry = 1L)
inputs <- synalinks$Input(data_model = models$Query)
generator <- synalinks$Generator(data_model = models$Answer, language_model = model, name = "generator")
outputs <- asyncio$run(generator(inputs))
program <- synalinks$Program(inputs = inputs, outputs = outputs, name = "capitals", description = "Asks")
program$compile(
  optimizer = synalinks$optimizers$RandomFewShot(),
  reward = synalinks$rewards$ExactMatch(in_mask = list("answer"))
)

# State in an R variable, and in a callback whose hooks are R functions.
drawn <- numeric()
counting <- reticulate::PyClass(
  "Counting",
  list(
    `__init__` = function(self) {
      super()$`__init__`()
      self$seen <- 0L
      NULL
    },
    on_train_batch_end = function(self, batch, logs = NULL) {
      self$seen <- self$seen + 1L
      NULL
    },
    on_epoch_end = function(self, epoch, logs = NULL) {
      drawn <<- c(drawn, logs$val_reward + runif(1))
      NULL
    }
  ),
  synalinks$callbacks$Callback
)()

capitals <- unlist(answering$CAPITALS)
questions <- lapply(names(capitals), function(country) models$Query(query = paste("The capital of", country)))
answers <- lapply(unname(capitals), function(city) models$Answer(rationale = "", answer = city))

backup <- callback_backup_and_restore(
  args[[1]],
  save_freq = 1,
  extra_state = list(drawn = list(take = function() drawn, put = function(value) drawn <<- value))
)
history <- asyncio$run(program$fit(
  np$array(questions, "object"), np$array(answers, "object"),
  epochs = 3L, batch_size = 2L, minibatch_size = NULL, validation_split = 0.25, verbose = 0L,
  callbacks = list(backup, counting)
))

variables <- tempfile(fileext = ".variables.json")
program$save_variables(variables)
saveRDS(
  list(
    run = list(
      variables = readChar(variables, file.size(variables)),
      epoch = unlist(history$epoch),
      history = lapply(history$history, unlist),
      calls = model$cumulated_calls,
      seen = counting$seen,
      drawn = drawn,
      next_draws = c(runif(1), reticulate::py_eval("__import__('random').random()"))
    ),
    resumed = backup$resume_report
  ),
  args[[2]]
)
