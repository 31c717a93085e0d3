"""Losses around another loss, to which they leave what they do not change (`base`).

Which images an epoch takes: `balanced`, `pruned`. What is added to the loss within:
`regularised`, `self_distilled`, `semi_supervised`.
"""
