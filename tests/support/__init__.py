"""What tests share: servers, scripted models, builders."""
