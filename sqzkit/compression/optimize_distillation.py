"""Train the rounded network towards the float one on unlabelled photographs.

What rounding layer by layer cannot see is how the errors of different layers
combine. Here the whole int8 network, simulated, learns to give the float
network's probabilities: gradients pass through the rounding as if it were not
there (Bengio et al., 2013), and weights that are zero stay zero. No label is
used; the float network's answer to each (shifted, mirrored) photograph is the
target (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
"""
