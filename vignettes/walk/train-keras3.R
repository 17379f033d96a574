library(keras3)

set_random_seed(1)
x <- scale(as.matrix(quakes[c("lat", "long", "depth", "stations")]))
y <- scale(quakes$mag)

model <- keras_model_sequential(input_shape = 4) |>
  layer_dense(32, activation = "relu") |>
  layer_dropout(0.2) |>
  layer_dense(1)
model |> compile(optimizer = "adam", loss = "mse")

backup <- rekindle::callback_backup_and_restore("backup", save_freq = 12, verbose = 1)
history <- model |> fit(
  x, y,
  epochs = 60, validation_split = 0.2, verbose = 0, callbacks = list(backup)
)

saveRDS(list(weights = get_weights(model), loss = history$metrics$loss), "result.rds")
