from deploy.tasks import namespace

ns = namespace(__file__)
