"""MedGAN: train a GAN on a small set of medical images, and judge honestly what it makes."""

__version__ = "0.1.0"
