"""Networks: SqueezeNet and its bypasses, AlexNet, published weights."""
