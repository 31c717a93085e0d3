"""Retrieved images shown: ``answers`` what is shown, ``page`` as HTML, ``sheet`` as a picture."""
