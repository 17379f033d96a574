keras <- reticulate::import("keras")

keras$utils$set_random_seed(1L)
x <- scale(as.matrix(quakes[c("lat", "long", "depth", "stations")]))
y <- scale(quakes$mag)

model <- keras$Sequential(list(
  keras$layers$Input(reticulate::tuple(4L)),
  keras$layers$Dense(32L, activation = "relu"),
  keras$layers$Dropout(0.2),
  keras$layers$Dense(1L)
))
model$compile(optimizer = "adam", loss = "mse")

backup <- rekindle::callback_backup_and_restore("backup", save_freq = 12, verbose = 1)
history <- model$fit(
  x, y,
  epochs = 60L, validation_split = 0.2, verbose = 0L, callbacks = list(backup)
)

saveRDS(list(weights = model$get_weights(), loss = unlist(history$history$loss)), "result.rds")
