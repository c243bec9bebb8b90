"""TensorFlow Lite: conversion, metadata, classification, verification."""
