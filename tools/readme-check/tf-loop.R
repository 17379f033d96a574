# What a training loop of TensorFlow has before its checkpoint: a model, its optimizer, a step and data.
library(rekindle)
library(tensorflow)

step <- tf$Variable(0L)
net <- tf$Variable(c(0, 0))
optimizer <- tf$Variable(0.1)
batches <- replicate(20, runif(2), simplify = FALSE)
train_step <- function(net, batch, optimizer) net$assign_add(optimizer * batch)
