"""Parameter Store in memory, with its versions."""


class ParameterStore:
    """Encrypted parameters by their names; `meanwhile` is done before the next write.

    A list of them fails with `error`.
    """

    def __init__(self, **parameters):
        self.parameters = dict(parameters)
        self.versions = dict.fromkeys(parameters, 1)
        self.meanwhile = self.error = None

    def get_paginator(self, name):
        """Return this object: it is the paginator too."""
        assert name == "get_parameters_by_path"
        return self

    def paginate(self, *, Path, WithDecryption):  # noqa: N803  boto3's names
        """Return one page with the parameters below a path."""
        assert WithDecryption
        if self.error:
            raise self.error
        found = {name: text for name, text in self.parameters.items() if name.startswith(Path)}
        return [{"Parameters": [{"Name": name, "Value": text} for name, text in found.items()]}]

    def get_parameters_by_path(self, **request):
        """Return the parameters below a path, all on one page."""
        (page,) = self.paginate(**request)
        return page

    def get_parameters(self, *, Names, WithDecryption):  # noqa: N803  boto3's names
        """Return the parameters of these names that there are."""
        assert WithDecryption
        return {
            "Parameters": [
                {"Name": name, "Value": self.parameters[name], "Version": self.versions[name]}
                for name in Names
                if name in self.parameters
            ]
        }

    def put_parameter(self, *, Name, Value, Type, Overwrite):  # noqa: N803  boto3's names
        """Store a parameter; return its version."""
        assert (Type, Overwrite) == ("SecureString", True)
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        self.parameters[Name] = Value
        self.versions[Name] = self.versions.get(Name, 0) + 1
        return {"Version": self.versions[Name]}

    def delete_parameters(self, *, Names):  # noqa: N803  boto3's names
        """Delete parameters; names of others are no error."""
        for name in Names:
            self.parameters.pop(name, None)
            self.versions.pop(name, None)
